//! Memory, tools and feedback.
