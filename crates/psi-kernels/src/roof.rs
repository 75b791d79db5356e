//! The machine's roof: peak arithmetic by type, and read bandwidth.
