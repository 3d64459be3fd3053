//! `mogbox tree`: a request with what it submitted.

use clap::Args;
use mogbox_core::RequestId;
use mogbox_core::tree::Tree;

use super::Common;
use super::client::request_path;
use super::nodes::label;
use super::poll::{Poll, poll};
use crate::api::requests::{DEEPEST, WIDEST};

/// Show a request with what it submitted, level by level.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mogbox tree 9b09b78c-688f-4d40-b7ba-1a1fb10215e2
  mogbox tree \"$id\" --max-depth 10 --max-width 100
  mogbox tree \"$id\" --poll 2s                 again every two seconds
  mogbox tree \"$id\" --json | jq '.children[].result.state'")]
pub(super) struct TreeArgs {
    /// The request at its root.
    id: RequestId,
    /// Levels to show, the request itself counted.
    #[arg(long, value_name = "N", value_parser = number(DEEPEST), default_value = "3")]
    max_depth: u16,
    /// Children to show of each request.
    #[arg(long, value_name = "N", value_parser = number(WIDEST), default_value = "16")]
    max_width: u16,
    #[command(flatten)]
    poll: Poll,
}

fn number(most: usize) -> clap::builder::RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1..=i64::try_from(most).unwrap_or(i64::MAX))
}

impl TreeArgs {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        let (client, output) = (common.client()?, common.output());
        let (depth, width) = (self.max_depth.to_string(), self.max_width.to_string());
        poll(&self.poll, &output, || {
            let tree: Tree = client.get(&request_path(self.id, "/tree"), &[("depth", &depth), ("width", &width)])?;
            if output.is_json() {
                return output.json(&tree);
            }
            lines(&tree).iter().try_for_each(|line| output.line(line))?;
            Ok(())
        })
    }
}

/// The tree in lines, with branches before each. Escaped.
fn lines(tree: &Tree) -> Vec<String> {
    let mut lines = vec![label(&tree.result)];
    let more = (tree.left_off > 0).then(|| vec![format!("… {} more", tree.left_off)]);
    let below: Vec<Vec<String>> = tree.children.iter().map(self::lines).chain(more).collect();
    let last = below.len().saturating_sub(1);
    for (at, block) in below.into_iter().enumerate() {
        let (first, rest) = if at == last { ("└── ", "    ") } else { ("├── ", "│   ") };
        lines.extend(block.into_iter().enumerate().map(|(line, text)| format!("{}{text}", if line == 0 { first } else { rest })));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_drawn_with_its_branches_and_what_is_left_off() {
        let result = |name: &str, state: &str| {
            serde_json::json!({"id": "9b09b78c-688f-4d40-b7ba-1a1fb10215e2", "name": name, "state": state, "number_of_starts": 1,
                "number_of_stops": 0, "parent_id": null, "created": null, "started": null, "finished": null, "node_id": null,
                "request_kwargs_repr": null})
        };
        let leaf = |name: &str| serde_json::json!({"result": result(name, "PENDING"), "children": [], "left_off": 0});
        let root = serde_json::json!({"result": result("a\u{1b}", "SUSPENDED"), "left_off": 2, "children": [
            {"result": result("b", "RUNNING"), "children": [leaf("c")], "left_off": 0}, leaf("d")]});
        let id = "9b09b78c-688f-4d40-b7ba-1a1fb10215e2";
        assert_eq!(
            lines(&serde_json::from_value(root).unwrap()),
            [
                format!("{id}  SUSPENDED  a\\u{{1b}}()"),
                format!("├── {id}  RUNNING  b()"),
                format!("│   └── {id}  PENDING  c()"),
                format!("├── {id}  PENDING  d()"),
                "└── … 2 more".to_owned(),
            ]
        );
    }
}
