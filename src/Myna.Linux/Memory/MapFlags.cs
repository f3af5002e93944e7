namespace Myna.Linux.Memory;

/// <summary>mmap(2)'s protections.</summary>
[Flags]
public enum Protection { None = 0, Read = 1, Write = 2, Execute = 4, GrowsDown = 0x01000000, GrowsUp = 0x02000000 }

/// <summary>mmap(2)'s flags; the same numbers on x86 and in the generic ABI.</summary>
[Flags]
public enum MapFlags
{
    Shared = 1,
    Private = 2,
    SharedValidate = 3,
    TypeMask = 15,
    Fixed = 0x10,
    Anonymous = 0x20,
    /// <summary>x86 alone: below 2 GiB.</summary>
    Low32Bit = 0x40,
    GrowsDown = 0x100,
    Locked = 0x2000,
    NoReserve = 0x4000,
    Stack = 0x20000,
    FixedNoReplace = 0x100000,
}

/// <summary>mremap(2)'s flags.</summary>
[Flags]
public enum RemapFlags { None = 0, MayMove = 1, Fixed = 2, DontUnmap = 4 }
