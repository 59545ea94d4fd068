//! The emulator as a program.

#![forbid(unsafe_code)]

use cosslice_emulator::Emulator;
use cosslice_emulator::config::{Asked, HELP, from_args};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let config = match from_args(std::env::args_os().skip(1)) {
        Ok(Asked::Run(config)) => config,
        Ok(Asked::Help) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("cosslice-emulator: {message}");
            return ExitCode::from(2);
        }
    };
    match run(*config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("cosslice-emulator: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(config: cosslice_emulator::Config) -> std::io::Result<()> {
    let account = config.account();
    let data = config.data.display().to_string();
    let discard = config.discard;
    // Before it listens: whoever reads the port file may already send a signal.
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let emulator = Emulator::start(config)?;
    let text = format!(
        "cosslice-emulator {} listens on 127.0.0.1:{}\n\
         page        {}/\n\
         endpoint    {}\n\
         app id      {}\nbucket      {}\nsecret id   {}\nsecret key  {}   (of this emulator only)\n\
         data        {}\n",
        env!("CARGO_PKG_VERSION"),
        emulator.port(),
        emulator.base(),
        emulator.endpoint(),
        account.app_id,
        account.bucket,
        account.secret_id,
        account.secret_key,
        if discard {
            "discarded".to_owned()
        } else {
            data
        },
    );
    // A closed stdout is no reason not to serve.
    let mut out = std::io::stdout();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
    signals.forever().next();
    drop(emulator);
    Ok(())
}
