//! Compiled with and without the attributes: the errors are the same, to the letter.

#[cfg_attr(not(plain), graceful::worker)]
async fn semicolon() -> Result<(), String> {
    Ok(());
}

#[cfg_attr(not(plain), graceful::worker)]
async fn no_return_type() {
    Ok::<(), String>(())
}

#[cfg_attr(not(plain), graceful::worker)]
async fn question_mark_on_an_option() -> Result<(), String> {
    None?;
    Ok(())
}

#[cfg_attr(not(plain), graceful::worker)]
async fn conflicting_returns(early: bool) -> Result<(), String> {
    if early {
        return 3;
    }
    Ok(())
}

#[cfg_attr(not(plain), graceful::worker)]
async fn question_mark_in_a_unit_function() {
    "3".parse::<u8>()?;
}

#[cfg_attr(not(plain), graceful::worker)]
async fn unknown_types(queue: Queue) -> Result<Offset, String> {
    queue.next().await
}

#[cfg_attr(not(plain), graceful::worker)]
async fn misspelt_variable(queue: u8) {
    drop(quene);
}

#[cfg_attr(not(plain), graceful::worker(blocking))]
fn semicolon_in_a_blocking_worker() -> Result<(), String> {
    Ok(());
}

#[cfg_attr(not(plain), graceful::worker(blocking))]
fn no_return_type_in_a_blocking_worker() {
    Ok::<(), String>(())
}

mod run {
    #[cfg_attr(not(plain), graceful::main)]
    pub async fn semicolon() -> Result<(), String> {
        Ok(());
    }

    #[cfg_attr(not(plain), graceful::main)]
    pub async fn no_return_type() {
        Ok::<(), String>(())
    }

    #[cfg_attr(not(plain), graceful::main)]
    pub async fn question_mark_on_an_option() -> Result<(), String> {
        None?;
        Ok(())
    }

    #[cfg_attr(not(plain), graceful::main)]
    pub async fn conflicting_returns(early: bool) -> Result<(), String> {
        if early {
            return 3;
        }
        Ok(())
    }

    #[cfg_attr(not(plain), graceful::main)]
    pub async fn question_mark_in_a_unit_function() {
        "3".parse::<u8>()?;
    }
}

fn main() {}
