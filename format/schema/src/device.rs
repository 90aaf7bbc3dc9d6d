//! `device`: names of disks, partitions and file systems' devices.

crate::record! {
    /// The name of a device number, as it was when a fact first named it.
    Device = 96 as "device", Definition {
        /// The number: major << 20 | minor (`dev_t` of the kernel, include/linux/kdev_t.h).
        id: u32 [DeviceId],
        /// Its name: that of /proc/partitions (`vda1`), or for file systems without a disk the type and place of the first one in /proc/self/mountinfo (`tmpfs /run`).
        name: u32 [StringId],
    }
}
