//! What the column kernels need from an instruction set: 16 rows at a time, 4 k values per step.
#![expect(unsafe_code, reason = "an instruction set's operations, proved available by the caller")]

/// Operations on 16 output rows. `Bytes` are 16 rows x 4 k values; the others one value per row.
///
/// # Safety
/// Of every function: the CPU has the implementation's instructions; a pointer argument may be
/// read (or written, for `store`) for the bytes the function's comment names.
pub(super) trait Lanes {
    /// 64 bytes: 16 rows x 4 values.
    type Bytes: Copy;
    /// 16 x i32.
    type Ints: Copy;
    /// Sums of products on their way to `Ints`; may be narrower for a few steps.
    type Dots: Copy;
    /// 16 x f32.
    type Floats: Copy;
    /// 16 x two i16.
    type Pairs: Copy;

    /// The 64 bytes at `p`.
    unsafe fn bytes(p: *const u8) -> Self::Bytes;
    /// `b & mask` in each byte.
    unsafe fn and(b: Self::Bytes, mask: u8) -> Self::Bytes;
    /// `a | (b & mask)` in each byte.
    unsafe fn or_and(a: Self::Bytes, b: Self::Bytes, mask: u8) -> Self::Bytes;
    /// `b` shifted right by N bits; the top N bits of each byte are arbitrary.
    unsafe fn shr<const N: u32>(b: Self::Bytes) -> Self::Bytes;
    /// `b` shifted right by n < 16 bits in each 16; the top n bits of each byte are arbitrary.
    unsafe fn shr_by(b: Self::Bytes, n: u32) -> Self::Bytes;
    /// `b` shifted left by N bits; the low N bits of each byte are arbitrary.
    unsafe fn shl<const N: u32>(b: Self::Bytes) -> Self::Bytes;

    /// Sums that start at `start`.
    unsafe fn dots(start: i32) -> Self::Dots;
    /// Sums of [`Self::dot_signed`] where `bias` = -128 sum(a): used if weights are taken as q + 128.
    unsafe fn signed_dots(bias: i32) -> Self::Dots;
    /// Adds products of unsigned w (at most 32767 / 254 / every) with the four signed bytes of `a`.
    /// Called with j = 0, 1, 2 ... from a fresh sum on; complete after a multiple of `every` calls.
    unsafe fn dot(dots: Self::Dots, w: Self::Bytes, a: i32, every: usize, j: usize) -> Self::Dots;
    /// Adds products of signed w with the four signed bytes of `a` (in -127..=127).
    unsafe fn dot_signed(dots: Self::Dots, w: Self::Bytes, a: i32) -> Self::Dots;
    /// The complete sums.
    unsafe fn ints(dots: Self::Dots) -> Self::Ints;

    /// 16 zeros.
    unsafe fn zero() -> Self::Ints;
    /// The 16 unsigned bytes at `p`.
    unsafe fn unsigned(p: *const u8) -> Self::Ints;
    /// The 16 signed bytes at `p`.
    unsafe fn signed(p: *const u8) -> Self::Ints;
    /// `a * b + sum`.
    unsafe fn mul_add(a: Self::Ints, b: Self::Ints, sum: Self::Ints) -> Self::Ints;
    /// The 32 unsigned bytes at `p`, as pairs.
    unsafe fn pairs(p: *const u8) -> Self::Pairs;
    /// Adds the products of both members of each pair with the two i16 in `a`.
    unsafe fn pair_dot(sum: Self::Ints, pairs: Self::Pairs, a: i32) -> Self::Ints;

    /// The 16 f16 at `p`.
    unsafe fn f16s(p: *const u8) -> Self::Floats;
    /// 16 x 0.0.
    unsafe fn f_zero() -> Self::Floats;
    /// `f * s`.
    unsafe fn scale(f: Self::Floats, s: f32) -> Self::Floats;
    /// `float(i) * f + acc`, one rounding where the tier has FMA.
    unsafe fn add_scaled(i: Self::Ints, f: Self::Floats, acc: Self::Floats) -> Self::Floats;
    /// `-float(i) * f + acc`, one rounding where the tier has FMA.
    unsafe fn sub_scaled(i: Self::Ints, f: Self::Floats, acc: Self::Floats) -> Self::Floats;
    /// Writes 16 f32 to `out`.
    unsafe fn store(f: Self::Floats, out: *mut f32);
    /// Asks for the cache line of `p`, which may point anywhere.
    unsafe fn prefetch(p: *const u8);
}

/// Repeats a block with the constant `$j` = 0..8 (intrinsics want constants, and a loop may not be unrolled).
macro_rules! repeat8 {
    ($j:ident => $body:block) => {
        repeat8!(@ $j $body 0 1 2 3 4 5 6 7)
    };
    (@ $j:ident $body:block $($n:literal)*) => {
        $({ const $j: usize = $n; $body })*
    };
}
pub(super) use repeat8;
