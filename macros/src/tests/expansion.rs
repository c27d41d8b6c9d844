//! What the attributes expand to, as text.

use quote::quote;

use crate::pipeline;

/// The part of an expansion between two pieces of text, without spaces.
fn between(text: &str, start: &str, end: &str) -> String {
    let text: String = text.split_whitespace().collect();
    let (_, text) = text.split_once(start).unwrap_or_else(|| panic!("{start} in {text}"));
    let (text, _) = text.split_once(end).unwrap_or_else(|| panic!("{end} in {text}"));
    text.to_owned()
}

fn builder(attribute: &str) -> String {
    let attribute = attribute.parse().expect("the attribute is made of tokens");
    let output = pipeline::main(
        attribute,
        &quote!(
            async fn main() {}
        ),
    );
    between(&output.to_string(), "Builder>::new()", ",main())")
}

fn policy(attribute: &str) -> String {
    let attribute = attribute.parse().expect("the attribute is made of tokens");
    let output = pipeline::worker(
        attribute,
        &quote!(
            async fn consume() {}
        ),
    );
    between(&output.to_string(), "::core::line!())", ";")
}

#[test]
fn without_options_nothing_is_called() {
    assert_eq!(builder(""), "");
    assert_eq!(policy(""), "");
}

#[test]
fn each_option_of_main_is_one_call() {
    for (option, call) in [
        ("stop_timeout = \"1m 500ms\"", ".stop_timeout(::core::time::Duration::new(60,500000000))"),
        ("stop_timeout = LIMIT", ".stop_timeout(LIMIT)"),
        ("stop_timeout = \"none\"", ".without_stop_timeout()"),
        ("drain = \"5s\"", ".drain(::core::time::Duration::new(5,0))"),
        ("signals = [\"SIGTERM\"]", ".signals([<::graceful::Signal>::Terminate])"),
        ("reraise", ".reraise()"),
        ("reraise = true", ".reraise()"),
        ("reraise = false", ""),
        ("reap", ".reap()"),
        ("upgrade = \"SIGUSR2\"", ".upgrade([<::graceful::Signal>::User2])"),
        ("pid_file = \"/run/api.pid\"", ".pid_file(\"/run/api.pid\")"),
        ("dump = \"SIGUSR2\"", ".dump([<::graceful::Signal>::User2])"),
        ("dump = [\"SIGUSR1\", \"SIGABRT\"]", ".dump([<::graceful::Signal>::User1,<::graceful::Signal>::Abort])"),
        ("extend_start = \"10m\"", ".extend_start(::core::time::Duration::new(600,0))"),
        ("flavor = \"current_thread\"", ".current_thread()"),
        ("flavor = \"multi_thread\"", ""),
        ("worker_threads = n()", ".worker_threads(n())"),
        ("name = \"api\"", ".name(\"api\")"),
    ] {
        assert_eq!(builder(option), call, "{option}");
    }
}

#[test]
fn each_option_of_a_worker_is_one_call() {
    let restart = ".on_failure(<::graceful::OnFailure>::Restart)";
    for (option, call) in [
        ("on_failure = \"log\"", ".on_failure(<::graceful::OnFailure>::Log)"),
        ("essential", ".essential()"),
        ("every = \"60s\"", ".every(::core::time::Duration::new(60,0))"),
        ("stop_timeout = LIMIT", ".stop_timeout(LIMIT)"),
        ("on_failure = \"parent\"", ".on_failure(<::graceful::OnFailure>::Parent)"),
        ("stop_timeout = LIMIT, on_timeout = \"log\"", ".stop_timeout(LIMIT).on_timeout(<::graceful::OnTimeout>::Log)"),
        ("stop = \"early\"", ".stage(<::graceful::Stage>::Early)"),
        ("when_stopping = \"refuse\"", ".refuse_when_stopping()"),
        (
            "on_failure = \"restart\", max_restarts = 5",
            &format!("{restart}.max_restarts(5,::core::time::Duration::new(60,0))"),
        ),
        (
            "on_failure = \"restart\", max_restarts = \"3 in 10m\"",
            &format!("{restart}.max_restarts(3,::core::time::Duration::new(600,0))"),
        ),
        ("every = A, initial_delay = \"1h\"", ".every(A).initial_delay(::core::time::Duration::new(3600,0))"),
        ("on_failure = \"restart\", backoff = A..B", &format!("{restart}.backoff(A,B)")),
        (
            "on_failure = \"restart\", backoff = \"100ms..1s\"",
            &format!(
                "{restart}.backoff(::core::time::Duration::new(0,100000000),\
                 ::core::time::Duration::new(1,0))"
            ),
        ),
    ] {
        assert_eq!(policy(option), call, "{option}");
    }
}

#[test]
fn a_worker_that_runs_again_copies_its_arguments() {
    let item = quote!(
        async fn consume<T: Clone>(a: A, (b, c): (T, u8)) {}
    );
    let output = pipeline::worker(quote!(on_failure = "restart"), &item).to_string();
    let arguments = between(&output, "let__body=move||__GracefulBody::consume::<T>(", ");");
    assert_eq!(
        arguments,
        "::graceful::__private::copy_for_restart(&a),\
         ::graceful::__private::clone_for_restart(&b_c)",
    );
}

#[test]
fn a_test_has_one_thread_unless_it_asks_for_more() {
    let item = quote!(
        async fn works() {}
    );
    let chain = |attribute| {
        let output = pipeline::test(attribute, &item).to_string();
        between(&output, "Builder>::new()", ".test_named(::core::concat!(::core::module_path!(),\"::works\")),works())")
    };
    assert_eq!(chain(quote!()), ".current_thread()");
    assert_eq!(chain(quote!(flavor = "multi_thread", worker_threads = 2)), ".worker_threads(2)");
    assert_eq!(chain(quote!(start_paused)), ".current_thread().start_paused(::graceful::__private::PausedClock)",);
}

#[test]
fn what_the_harness_reads_stays_on_the_function_it_sees() {
    let output = pipeline::test(
        quote!(),
        &quote!(
            #[ignore = "slow"]
            #[should_panic]
            async fn works() {}
        ),
    );
    let output: String = output.to_string().split_whitespace().collect();
    let outer = "#[ignore=\"slow\"]#[should_panic]#[::core::prelude::v1::test]fnworks(){";
    assert!(output.starts_with(outer), "{output}");
}

#[test]
fn the_crate_may_be_anywhere() {
    for path in [quote!(a::b), quote!("a::b")] {
        let item = quote!(
            async fn consume() {}
        );
        let output = pipeline::worker(quote!(crate = #path), &item).to_string();
        assert!(!output.replace(' ', "").contains("::graceful::"), "{output}");
        assert_eq!(between(&output, "->", "<"), "a::b::__private::Worker");
    }
}

/// What a worker becomes, without spaces.
fn worker(attribute: &str, item: &str) -> String {
    let parse = |text: &str| text.parse().expect("it is made of tokens");
    let output = pipeline::worker(parse(attribute), &parse(item)).to_string();
    output.split_whitespace().collect()
}

/// The same for an entry point.
fn main(attribute: &str, item: &str) -> String {
    let parse = |text: &str| text.parse().expect("it is made of tokens");
    let output = pipeline::main(parse(attribute), &parse(item)).to_string();
    output.split_whitespace().collect()
}

#[test]
fn a_worker_is_a_function_around_the_users_own() {
    let output = worker(
        "",
        "#[doc = \"d\"] #[instrument] #[must_use] #[must_use = \"why\"]
         pub async fn r#loop(mut queue: Queue, (a, b): (A, B), all @ Some(_): C, _d: D, queue: E, r#loop: F, port: u16) -> R {
             body
         }",
    );
    let outer = "#[doc=\"d\"]#[must_use=\"why\"]\
                 pubfnr#loop(queue:Queue,a_b:(A,B),all:C,d:D,queue_2:E,loop_2:F,port:u16)->\
                 ::graceful::Worker<impl::graceful::__private::Body<Output=R>>{";
    assert!(output.starts_with(outer), "{output}");
    let inner = between(&output, "impl__GracefulBody{", "{body}");
    assert_eq!(
        inner,
        "#[instrument]asyncfnr#loop(mutqueue:Queue,(a,b):(A,B),all@Some(_):C,_d:D,queue:E,r#loop:F,port:u16)->R"
    );
    let arguments = between(&output, "let__body=__GracefulBody::r#loop(", ")");
    assert_eq!(arguments, "queue,a_b,all,d,queue_2,loop_2,port");
    assert_eq!(between(&output, "Function>::new(", ","), "\"loop\"");
}

#[test]
fn a_parameter_with_a_pattern_has_the_names_in_it() {
    for (pattern, name) in [
        ("State(db)", "db"),
        ("Point { x: left, y }", "left_y"),
        ("[head, tail @ ..]", "head_tail"),
        ("a::B(ref mut c)", "c"),
        ("_", "ignored"),
        ("__b", "b"),
        ("(r#type, Some(_))", "type"),
        ("r#match", "r#match"),
    ] {
        let output = worker("", &format!("async fn consume({pattern}: A) {{}}"));
        assert_eq!(between(&output, "fnconsume(", ":A)->"), name.replace("type", "r#type"), "{pattern}");
    }
    let output = worker("", "async fn consume(_: A, _: B, ignored: C) {}");
    assert!(output.contains("(ignored:A,ignored_2:B,ignored_3:C)"), "{output}");
}

#[test]
fn a_result_that_is_right_stays_as_it_is() {
    let output = worker("", "async fn consume() -> Result<(), Box<dyn Fn(&u8)>> { body }");
    assert!(!output.contains("compile_error"), "{output}");
    let result = "Body<Output=Result<(),Box<dynFn(&u8)>>>";
    assert!(output.contains(result), "{output}");
}

#[test]
fn a_worker_with_a_mistake_in_it_can_be_used_all_the_same() {
    let output = worker("", "async fn consume(queue: Queue) -> &str { body }");
    for part in [
        "compile_error",
        "fnconsume(_:Queue)->",
        "Output=&'staticstr>",
        "#[allow(dead_code)]asyncfnconsume(queue:Queue)->&str{body}",
        "once(&__GRACEFUL_FUNCTION,::core::future::pending(),",
    ] {
        assert!(output.contains(part), "{part} in {output}");
    }
    // Without a body there is nothing to keep.
    let output = worker("", "async fn consume();");
    assert!(!output.contains("__GracefulBody"), "{output}");
}

#[test]
fn only_a_worker_that_blocks_is_not_async() {
    let blocks = worker("blocking", "fn crunch() { body }");
    assert!(blocks.contains("{fncrunch(){body}}"), "{blocks}");
    let wrong = worker("", "fn crunch() { body }");
    assert!(wrong.contains("asyncfncrunch(){body}"), "{wrong}");
}

#[test]
fn an_entry_point_of_another_name_keeps_its_arguments() {
    let output = main("", "async fn serve(port: u16) -> R { body }");
    let outer = "fnserve(port:u16)->::std::process::ExitCode{asyncfnserve(port:u16)->R{body}";
    assert!(output.contains(outer), "{output}");
    let run = "::graceful::__private::run(<::graceful::Builder>::new(),serve(port))";
    assert!(output.contains(run), "{output}");
}

#[test]
fn an_exit_code_must_be_used_and_a_message_of_the_users_own_stays() {
    let must_uses = |item: &str| {
        let output = main("", item);
        (output.matches("must_use").count(), output.contains("exitcodeoftheprocess"))
    };
    assert_eq!(must_uses("async fn serve() {}"), (1, true));
    assert_eq!(must_uses("#[must_use] async fn serve() {}"), (1, true));
    assert_eq!(must_uses("#[must_use = \"why\"] async fn serve() {}"), (1, false));
}

#[test]
fn what_another_runtime_has_made_of_main_is_recognised() {
    for (body, is_known) in [
        ("{ Builder::new().block_on(body) }", true),
        ("{ { async_main(body) } }", true),
        ("{ let body = async {}; }", false),
    ] {
        let output = main("", &format!("fn main() {body}"));
        let says_so = output.contains("anymore:anattributeabove");
        assert_eq!(says_so, is_known, "{output}");
    }
}

#[test]
fn a_limit_that_the_waits_put_out_of_reach_is_one_to_correct() {
    for (options, is_reached) in [
        ("max_restarts = 5, backoff = \"30s..60s\"", false),
        ("max_restarts = \"5 in 10m\", backoff = \"30s..60s\"", true),
        // Each wait is 30 s at the least: the first restart is within the minute, the second is not.
        ("max_restarts = 1, backoff = \"60s..60s\"", true),
        ("max_restarts = 2, backoff = \"60s..60s\"", false),
        ("max_restarts = 4000000000, backoff = \"0s..0s\"", true),
        ("max_restarts = 4000000000, backoff = \"1ns..1s\"", false),
        // The default goes up to 10 s.
        ("max_restarts = 17", true),
        ("max_restarts = 18", false),
        ("max_restarts = LIMIT, backoff = \"1h..1h\"", true),
        ("max_restarts = 5, backoff = A..B", true),
    ] {
        let output = worker(&format!("on_failure = \"restart\", {options}"), "async fn consume() {}");
        assert_eq!(!output.contains("compile_error"), is_reached, "{options}");
    }
}

#[test]
fn a_signal_that_stops_does_not_dump_and_sigabrt_does_nothing_else() {
    for (options, is_refused) in [
        ("signals = [\"SIGTERM\", \"SIGABRT\"]", true),
        ("dump = \"SIGUSR1\"", false),
        ("dump = \"SIGTERM\"", true),
        ("dump = [\"SIGUSR1\", \"SIGABRT\"]", false),
        ("dump = [\"SIGUSR1\", \"SIGINT\"]", true),
        ("dump = \"SIGINT\"", true),
        ("signals = [\"SIGTERM\"], dump = \"SIGINT\"", false),
        ("signals = [\"SIGTERM\", \"SIGUSR1\"], dump = \"SIGUSR1\"", true),
        ("signals = [\"SIGTERM\", \"SIGUSR1\"], dump = \"SIGUSR2\"", false),
    ] {
        let output = main(options, "async fn main() {}");
        assert_eq!(output.contains("compile_error"), is_refused, "{options}");
    }
}

#[test]
fn a_signal_that_means_something_else_does_not_upgrade() {
    for (options, is_refused) in [
        ("upgrade = \"SIGUSR2\"", false),
        ("upgrade = [\"SIGUSR2\", \"SIGHUP\"]", false),
        ("upgrade = \"SIGTERM\"", true),
        ("upgrade = \"SIGABRT\"", true),
        ("upgrade = \"SIGINT\"", true),
        ("signals = [\"SIGTERM\"], upgrade = \"SIGINT\"", false),
        ("signals = [\"SIGTERM\", \"SIGUSR2\"], upgrade = \"SIGUSR2\"", true),
        ("dump = \"SIGUSR2\", upgrade = \"SIGUSR2\"", true),
        ("dump = \"SIGUSR1\", upgrade = \"SIGUSR2\"", false),
    ] {
        let output = main(options, "async fn main() {}");
        assert_eq!(output.contains("compile_error"), is_refused, "{options}");
    }
}

#[test]
fn how_an_option_is_written_is_said() {
    for (options, said) in [
        ("name: \"a\"", "setwith`=`"),
        ("name(\"a\")", "setwith`=`"),
        ("name == \"a\"", "setwith`=`"),
        ("name => \"a\"", "setwith`=`"),
        ("name \"a\"", "expected`=`after`name`"),
        ("name", "`name`takesavalue"),
        ("name, essential", "`name`takesavalue"),
        ("name =", "`name`takesavalue"),
        ("stop-timeout = \"5s\"", "`stop-timeout`iswrittenwithunderscores:`stop_timeout`"),
        ("stop-timout = \"5s\"", "didyoumean`stop_timeout`"),
        ("name = , essential", "`name`takesavalue"),
        ("crate = <T as U>::a", "`crate`isapath"),
        ("stop_timeout = -5", "adurationwithaunit"),
        ("on_failure = \"restart\", backoff = A..=B", "ashortestandalongestwait"),
        ("on_failure = \"restart\", max_restarts = \"3\"", "oratextsuchas"),
        ("on_failure = \"restart\", max_restarts = \"0 in 1m\"", "oratextsuchas"),
        ("on_failure = \"restart\", max_restarts = \"3 in 0s\"", "oratextsuchas"),
        ("on_failure = \"restart\", max_restarts = \"3 in ten\"", "isnotaduration"),
        ("initial_delay = \"1h\"", "`initial_delay`needs`every"),
    ] {
        let output = worker(options, "async fn consume() {}");
        assert!(output.contains(said), "{options}: {output}");
    }
    for options in [
        "stop_timeout = -LIMIT",
        "stop_timeout = *LIMIT",
        "on_failure = \"restart\", backoff = \"1s..1s\"",
        "essential",
        "essential, name = \"a\"",
    ] {
        let output = worker(options, "async fn consume() {}");
        assert!(!output.contains("compile_error"), "{options}: {output}");
    }
}
