#[graceful::main(stop_timeout("25s"))]
async fn in_parentheses() {}

#[graceful::main(drain: "5s", stop_timeout =)]
async fn with_a_colon() {}

#[graceful::main(stop_timeout "25s", drain)]
async fn without_an_equals_sign() {}

#[graceful::main(stop_timeout = "25s" drain = "5s")]
async fn without_a_comma() {}

#[graceful::main("25s", reraise; name = "api")]
async fn without_a_name() {}

#[graceful::main(stop_timeout = , drain = ;, name = "api")]
async fn without_a_value() {}

#[graceful::main(stop_timeout = "25s", stop_timeout = "30s")]
async fn main() {}
