//! The difference of two texts as a unified diff: three lines around each change, as `patch` takes it.

use diffy::DiffOptions;

/// The difference from `old` to `new`, headed by `name`; empty if there is none.
pub fn unified(name: &str, old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    let mut options = DiffOptions::new();
    options.set_original_filename(name.to_owned());
    options.set_modified_filename(name.to_owned());
    options.create_patch(old, new).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_stand_among_three_lines() {
        let old: String = (1..=20).map(|n| format!("{n}\n")).collect();
        let new = old.replace("\n5\n", "\nfive\n").replace("\n18\n", "\n18\nmore\n");
        assert_eq!(
            unified("x", &old, &new),
            "--- x\n+++ x\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n@@ -16,5 +16,6 @@\n 16\n 17\n 18\n+more\n 19\n 20\n"
        );
        assert_eq!(unified("x", &old, &old), "");
    }

    #[test]
    fn a_last_line_without_an_end_is_told() {
        let said = unified("x", "a\nb", "a\nc");
        assert_eq!(
            said,
            "--- x\n+++ x\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n\\ No newline at end of file\n"
        );
    }
}
