//! `alloc_total`: what the kernel allocates and frees, by call site.

/// What was done (`alloc_total.what`).
pub mod alloc_what {
    /// kmalloc() and its kin.
    pub const KMALLOC: u32 = 1;
    /// kfree(): how many bytes it frees is not told.
    pub const KFREE: u32 = 2;
    /// kmem_cache_alloc().
    pub const CACHE_ALLOC: u32 = 3;
    /// kmem_cache_free().
    pub const CACHE_FREE: u32 = 4;
    /// Pages, by the page allocator itself: whole orders, without call site.
    pub const PAGE_ALLOC: u32 = 5;
    /// Pages given back to it.
    pub const PAGE_FREE: u32 = 6;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[
        (1, "kmalloc"),
        (2, "kfree"),
        (3, "cache_alloc"),
        (4, "cache_free"),
        (5, "page_alloc"),
        (6, "page_free"),
    ];
}

crate::record! {
    /// How often, and how much, one place in the kernel allocated or freed within a window (about a second) while recorded threads ran.
    AllocTotal = 44 as "alloc_total", Fact sums "allocations and frees" in "map of memory sums" {
        /// When the window ended.
        end: u64 [TimeNs],
        /// Length of the window.
        duration: u64 [DurNs],
        /// Calls.
        count: u64 [Count],
        /// Bytes that they took or gave back, as the allocator rounds them; 0 where the tracepoint does not tell (kfree, and kmem_cache_free before 6.1).
        bytes: u64 [Bytes],
        /// The caller: a kernel stack of one frame. 0 for pages, and where there was no room for more callers.
        site: u32 [StackId],
        /// What was done: the tracepoints kmem:kmalloc, kfree, kmem_cache_alloc, kmem_cache_free, mm_page_alloc, mm_page_free.
        what: u32 [Enum(alloc_what::NAMES)],
    }
}
