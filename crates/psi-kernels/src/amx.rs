//! AMX tiles: permission, configuration and what the kernels need to know about them.
//!
//! Eight tiles of up to 16 rows x 64 bytes; one `tdpbusd`/`tdpbf16ps` multiplies 16 x 64 bytes by
//! 16 x 64 bytes in 16 cycles. Linux grants the state per process on request (`arch_prctl`,
//! Documentation/arch/x86/xstate.rst). The intrinsics are unstable, so kernels use `asm!`.
#![cfg_attr(
    all(target_arch = "x86_64", target_os = "linux"),
    expect(unsafe_code, reason = "CPUID, XGETBV and one syscall")
)]

/// Whether AMX (tile, int8, bf16) exists here and the operating system lets this process use it.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(crate) fn request_permission() -> bool {
    use std::arch::x86_64::{__cpuid_count, _xgetbv};
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    /// CPUID leaf 7: EDX bits 22 (AMX-BF16), 24 (AMX-TILE), 25 (AMX-INT8).
    const AMX_BITS: u32 = 1 << 22 | 1 << 24 | 1 << 25;

    #[target_feature(enable = "xsave")]
    fn tile_state_enabled() -> bool {
        // SAFETY: XGETBV with index 0 reads XCR0; the caller has checked OSXSAVE.
        let xcr0 = unsafe { _xgetbv(0) };
        xcr0 >> 17 & 0b11 == 0b11
    }

    let amx = __cpuid_count(7, 0).edx & AMX_BITS == AMX_BITS;
    let osxsave = __cpuid_count(1, 0).ecx >> 27 & 1 == 1;
    // SAFETY: `osxsave` says that XGETBV exists.
    if !amx || !osxsave || !unsafe { tile_state_enabled() } {
        return false;
    }
    // SAFETY: asks the kernel for permission to use tile data in this process; no memory is passed.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}

/// Whether AMX may be used here: only Linux's way of asking is known.
#[cfg(all(target_arch = "x86_64", not(target_os = "linux")))]
pub(crate) fn request_permission() -> bool {
    false
}
