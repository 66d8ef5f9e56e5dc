//! The door: parse the arguments, run, and turn the outcome into an exit code.

fn main() -> std::process::ExitCode {
    glacic::cli::run(std::env::args_os())
}
