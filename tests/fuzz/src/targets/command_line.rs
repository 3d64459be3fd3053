//! `command_line`: what somebody, or a script with somebody else's words, says to the command line. A line of the input is a word.

use clap::Parser as _;
use mogbox::Cli;

use crate::Target;

pub(crate) const TARGET: Target = Target { name: "command_line", run, seeds, short_run: 400 };

fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let words = ["mogbox"].into_iter().chain(text.split('\n'));
    if let Err(error) = Cli::try_parse_from(words) {
        assert!([0, 2].contains(&error.exit_code()), "{error}");
        assert!(!error.to_string().is_empty());
    }
}

fn seeds() -> Vec<Vec<u8>> {
    [
        "serve --concurrency 8 --limit memory=256MiB --lease 1m30s --queue a --queue b --log-format json",
        "serve --listen [::1]:0 --data x --drain 500ms --redis redis://127.0.0.1:6379",
        "submit a.b 1 -2 @dol [1,2] --kwargs {\"x\":1} --kwarg y=[3] --metadata k=v --priority 9 --deadline 30s --delay 1500ms",
        "submit a.b --id 00112233-4455-6677-8899-aabbccddeeff --queue q --allow-unknown --wait --timeout 1h --json",
        "wait 00112233-4455-6677-8899-aabbccddeeff --timeout 5s --tenant acme",
        "get 00112233-4455-6677-8899-aabbccddeeff",
        "metadata 00112233-4455-6677-8899-aabbccddeeff --set a=1 --set b=NaN",
        "revoke 00112233-4455-6677-8899-aabbccddeeff",
        "push x.wasm --name m",
        "modules roll-back m --to 0a",
        "dead-letters --most 3",
        "build examples/add --release",
        "bench --json",
        "help submit",
        "submit --help",
    ]
    .map(|line| line.replace(' ', "\n").into_bytes())
    .into()
}
