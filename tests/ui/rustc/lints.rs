//! Compiled with and without the attributes: the warnings are the same, to the letter.

#![warn(missing_docs, unreachable_pub, unused_qualifications)]

mod private {
    #[cfg_attr(not(plain), graceful::worker)]
    pub async fn unreachable_and_never_called(queue: u8) -> Result<(), String> {
        let mut unused = 3;
        Ok(())
    }

    #[cfg_attr(not(plain), graceful::main)]
    pub async fn run(Loud: u8) {}
}

#[cfg_attr(not(plain), graceful::worker)]
pub async fn undocumented() -> Result<(), String> {
    Ok(())
}

#[cfg_attr(not(plain), graceful::worker)]
async fn never_called() {
    fn nor_this() {}
}

#[cfg_attr(not(plain), graceful::worker(blocking))]
fn never_called_either(mut n: std::primitive::u8) {}

/// Not by the attribute either.
#[cfg_attr(not(plain), graceful::worker)]
#[deprecated]
pub async fn deprecated(n: u8) {
    let _ = n;
}

#[cfg_attr(not(plain), graceful::worker)]
#[expect(dead_code)]
async fn expected() {}

fn main() {
    drop(deprecated(3));
}
