//! `stack_node`: the tree that stacks share their outer frames in.

crate::record! {
    /// A frame called from the frames of its parent node. A stack is a node: follow the parents to reach the thread's first frame.
    StackNode = 25 as "stack_node", Definition {
        /// Its id, from 1; greater than its parent's.
        id: u32 [NodeId],
        /// The caller's node; 0 for the outermost frame.
        parent: u32 [NodeId],
        /// The place in code: the very instruction for the innermost frame, the last byte of the call instruction (return address - 1) for its callers, so that a look-up gives the caller's function and line.
        frame: u32 [FrameId],
        /// None is defined yet.
        flags: u32 [Flags(&[])],
    }
}
