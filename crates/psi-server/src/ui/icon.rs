//! The page's signs, drawn here: lines on a grid of 24, in the colour of the text around them.

use maud::{Markup, PreEscaped, html};

const ICONS: &[(&str, &str)] = &[
    ("alert", "M12 4 2.8 20h18.4zM12 10v4M12 17.2v.1"),
    (
        "book",
        "M4 5.5C6.5 4 9.5 4 12 5.5c2.5-1.5 5.5-1.5 8 0V19c-2.5-1.5-5.5-1.5-8 0-2.5-1.5-5.5-1.5-8 0zM12 5.5V19",
    ),
    (
        "bulb",
        "M9 18h6M10 21h4M12 3a6 6 0 0 0-3.5 10.9c.4.3.5.7.5 1.1v.5h6V15c0-.4.1-.8.5-1.1A6 6 0 0 0 12 3z",
    ),
    (
        "calc",
        "M6 3h12v18H6zM9 7h6M9 11.5v.1M12 11.5v.1M15 11.5v.1M9 15v.1M12 15v.1M15 15v2.5M9 17.5h3",
    ),
    ("chart", "M4 20V4M4 20h16M8 16v-4M12 16V8M16 16v-6"),
    ("check", "M5 12.5 10 17.5 19.5 7"),
    ("chip", "M7 7h10v10H7zM10 3v4M14 3v4M10 17v4M14 17v4M3 10h4M3 14h4M17 10h4M17 14h4"),
    (
        "clip",
        "M19 11.5 12 18.6a4.6 4.6 0 0 1-6.5-6.5l7.4-7.4a3 3 0 0 1 4.3 4.3l-7.3 7.3a1.5 1.5 0 0 1-2.1-2.1l6.6-6.6",
    ),
    ("clock", "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5.2l3.4 2"),
    ("columns", "M3 5h18v14H3zM12 5v14"),
    ("copy", "M9 9h11v11H9zM5 15H4V4h11v1"),
    ("cross", "M6 6l12 12M18 6 6 18"),
    ("down", "M12 4v12M7 11.5l5 5 5-5M5 20h14"),
    ("file", "M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6"),
    ("folder", "M3 6h6l2 2.5h10V19H3z"),
    (
        "gear",
        "M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM12 2.8v3M12 18.2v3M2.8 12h3M18.2 12h3M5.5 5.5l2.1 2.1M16.4 16.4l2.1 2.1M18.5 5.5l-2.1 2.1M7.6 16.4l-2.1 2.1",
    ),
    (
        "globe",
        "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM3 12h18M12 3c5 5.5 5 12.5 0 18M12 3c-5 5.5-5 12.5 0 18",
    ),
    ("keyboard", "M3 6h18v12H3zM7 10v.1M11 10v.1M15 10v.1M18 10v.1M8 14h8"),
    ("left", "M14.5 6 8.5 12l6 6"),
    (
        "memory",
        "M12 3C7.5 3 4 4.6 4 6.5s3.5 3.5 8 3.5 8-1.6 8-3.5S16.5 3 12 3zM4 6.5V12c0 1.9 3.5 3.5 8 3.5s8-1.6 8-3.5V6.5M4 12v5.5C4 19.4 7.5 21 12 21s8-1.6 8-3.5V12",
    ),
    ("menu", "M4 7h16M4 12h16M4 17h16"),
    ("merge", "M7 4v6c0 3 5 3 5 7v3M17 4v6c0 3-5 3-5 7M9 17l3 3 3-3"),
    ("more", "M5 12v.1M12 12v.1M19 12v.1"),
    ("pause", "M9 6v12M15 6v12"),
    ("pen", "M4 20l1-4.5L16.5 4 20 7.5 8.5 19zM14 6.5 17.5 10"),
    ("pin", "M9 3h6l-1 6 3 3v2H7v-2l3-3zM12 14v7"),
    ("plus", "M12 5v14M5 12h14"),
    ("redo", "M20 12a8 8 0 1 1-2.4-5.700L20 8.5M20 3.5v5h-5"),
    ("right", "M9.5 6l6 6-6 6"),
    ("search", "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5 20.5 20.5"),
    ("send", "M12 19V5M6 11l6-6 6 6"),
    ("shield", "M12 3 5 6v5c0 5 3 8.2 7 10 4-1.8 7-5 7-10V6z"),
    ("slash", "M3 5h18v14H3zM10 15.5 14 8.5"),
    (
        "sprout",
        "M12 21v-9M12 14C12 9.500 9 7 4 7c0 4.500 3 7 8 7zM12 12c0-4.500 3-8 8-8 0 5-3 8-8 8",
    ),
    ("stack", "M4 8l8-4 8 4-8 4zM4 12l8 4 8-4M4 16l8 4 8-4"),
    ("star", "M12 3.5l2.6 5.5 6 .8-4.4 4.2 1.1 6L12 17.1 6.7 20l1.1-6L3.4 9.800l6-.8z"),
    ("stop", "M7 7h10v10H7z"),
    (
        "thought",
        "M12 4c-4.4 0-8 2.8-8 6.3 0 2 1.2 3.8 3 5V19l3.3-2.600c.6.1 1.1.1 1.7.1 4.4 0 8-2.7 8-6.200S16.4 4 12 4zM8.5 10.5v.1M12 10.5v.1M15.5 10.5v.1",
    ),
    (
        "thumb-down",
        "M7 4v9M7 13l4 7.5c1.5 0 2.3-1 2-2.5l-.6-3.5H18c1.3 0 2.2-1.2 1.8-2.5l-1.6-6C18 4.9 17.2 4 16 4H7zM7 4H4v9h3",
    ),
    (
        "thumb-up",
        "M7 20v-9M7 11l4-7.5c1.5 0 2.3 1 2 2.5l-.6 3.5H18c1.3 0 2.2 1.2 1.8 2.5l-1.6 6c-.2 1.1-1 2-2.2 2H7zM7 20H4v-9h3",
    ),
    ("trash", "M5 7h14M10 4h4M7 7l1 13h8l1-13M10.5 11v5.5M13.5 11v5.5"),
    (
        "wrench",
        "M20 7.5a4.5 4.5 0 0 1-6.2 5.200L7.5 19a2 2 0 0 1-2.9-2.900l6.3-6.300A4.5 4.5 0 0 1 16.5 4L14 6.5l.7 2.8 2.8.7z",
    ),
];

/// A sign by its name; what it means is said by the words beside it, or by the control's label.
pub(crate) fn icon(name: &str) -> Markup {
    let path = ICONS.iter().find(|(n, _)| *n == name).map_or("", |(_, path)| path);
    html! {
        svg.icon viewBox="0 0 24 24" aria-hidden="true" { path d=(PreEscaped(path)) {} }
    }
}

/// An arrow that turns when what it stands before is unfolded.
pub(crate) fn turning() -> Markup {
    html! {
        svg class="icon turn" viewBox="0 0 24 24" aria-hidden="true" { path d="M9.5 6l6 6-6 6" {} }
    }
}

#[cfg(test)]
mod tests {
    use super::ICONS;

    #[test]
    fn icons_are_sorted_and_named_once() {
        assert!(ICONS.is_sorted_by(|a, b| a.0 < b.0));
    }
}
