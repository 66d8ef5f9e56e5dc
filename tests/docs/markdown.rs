//! As much of Markdown as these tests need: fenced blocks, and the comment that stands before one.

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The line its text begins on, from 1.
    pub line: usize,
    /// What stands behind the opening fence: `sh`, `text`, `json`.
    pub language: String,
    pub text: String,
    /// The HTML comment right before it.
    pub comment: Option<String>,
    /// Whether only blank lines separate it from the block before.
    pub follows: bool,
}

pub fn blocks(document: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    let (mut comment, mut follows) = (None, false);
    for (index, line) in document.lines().enumerate() {
        match &mut open {
            Some(block) if line == "```" => {
                blocks.push(block.clone());
                open = None;
                follows = true;
            }
            Some(block) => block.text += &format!("{line}\n"),
            None => {
                if let Some(language) = line.strip_prefix("```") {
                    let language = language.to_owned();
                    open = Some(Block {
                        line: index + 2,
                        language,
                        text: String::new(),
                        comment: comment.take(),
                        follows,
                    });
                } else if let Some(text) = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->")) {
                    comment = Some(text.to_owned());
                    follows = false;
                } else if !line.trim().is_empty() {
                    comment = None;
                    follows = false;
                }
            }
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

#[test]
fn blocks_are_found_with_what_stands_before_them() {
    let found = blocks("a\n<!-- x -->\n```sh\nls\n```\n\n```text\nout\n```\nb\n```sh\n```\n");
    let brief: Vec<_> = found.iter().map(|b| (b.line, b.language.as_str(), b.comment.as_deref(), b.follows)).collect();
    assert_eq!(brief, [(4, "sh", Some("x"), false), (8, "text", None, true), (12, "sh", None, false)]);
    assert_eq!((found[0].text.as_str(), found[1].text.as_str()), ("ls\n", "out\n"));
}
