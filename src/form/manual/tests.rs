//! That a page is read for what it says.

use super::*;

#[test]
fn a_page_is_read_block_by_block() {
    let page = read(
        "x",
        None,
        "//! Title.\n//!\n//! One\n//! two.\n//!\n//! - a\n//!   b\n//! - c\n//!\n//! | h |\n//! |---|\n//! | `r` |\n//!\n//! ```json\n//! { }\n//! ```\n\n//! no more\n",
    );
    let text = |text: &str| Block::Text(text.into());
    let item = |text: &str| Block::Item(text.into());
    let expected = [
        text("One two."),
        item("a b"),
        item("c"),
        Block::Table(vec![vec!["h".into()], vec!["`r`".into()]]),
        Block::Code(vec!["{ }".into()]),
    ];
    assert_eq!(
        (page.title.as_str(), page.blocks.as_slice()),
        ("Title.", expected.as_slice())
    );
}

#[test]
fn products_are_whole_words_of_titles_and_sources() {
    let page = |text: &str| read("x", None, &format!("//! Kong's way.\n//!\n//! Unlike LiteLLM. {text}"));
    let products = |text: &str| page(text).products().collect::<Vec<_>>();
    assert_eq!(
        products("Source: Envoy 1.2. Known faults: not those of NGINX."),
        ["Kong", "Envoy"]
    );
    assert_eq!(products("Source: Towering Envoyage."), ["Kong"]);
    assert_eq!(
        page("Source: Envoy, Kong.").other_products().collect::<Vec<_>>(),
        ["Envoy"]
    );
}

#[test]
fn marks_are_left_out_and_what_is_quoted_stays() {
    for (text, expected) in [
        ("of `a` and [`b`]", "of a and b"),
        ("see [the paper](https://x.y/z) first", "see the paper first"),
        ("an `[0]` and `a](b)` and 2*3", "an [0] and a](b) and 2*3"),
        ("**R4** (one) [and](x) two", "R4 (one) and two"),
        ("an [a] (b", "an [a] (b"),
    ] {
        assert_eq!(plain(text), expected);
    }
}
