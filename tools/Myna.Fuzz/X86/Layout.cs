namespace Myna.Fuzz.X86;

/// <summary>
/// Where a program's memory lies, natively and in the emulated machine: all of it below 2 GiB, so that 32-bit code and every
/// kind of operand can name it. The pages lie one behind the other in the file that this process and the native one share.
/// </summary>
internal static class Layout
{
    public const int Page = 4096;

    /// <summary>Read, write, execute; nothing behind it.</summary>
    public const uint Code = 0x1000_0000;
    public const int CodeSize = 2 * Page;

    /// <summary>Two pages that can be written, one that can only be read, nothing behind them and before them.</summary>
    public const uint Data = 0x2000_0000;
    public const int WritableSize = 2 * Page;
    public const int DataSize = 3 * Page;

    public const uint Stack = 0x3000_0000;
    public const int StackSize = 2 * Page;

    /// <summary>Registers before and after, natively only.</summary>
    public const uint Control = 0x5C71_3000;

    // Offsets in the shared file.
    public const int ControlFile = 0, CodeFile = Page, DataFile = CodeFile + CodeSize, StackFile = DataFile + DataSize;
    public const int FileSize = StackFile + StackSize;

    /// <summary>Memory that a program can change: code, data, stack, in the order of the file.</summary>
    public const int MemorySize = CodeSize + DataSize + StackSize;

    // Fields of the control page. What IRETQ takes: RIP, CS, RFLAGS, RSP, SS.
    public const int InGpr = 0, InFrame = 0x80, InFsBase = 0xA8, InGsBase = 0xB0, InXsave = 0x400;
    public const int OutSignal = 0x100, OutFsBase = 0x108, OutGsBase = 0x110, OutRegisters = 0x118, OutXsave = 0x800;

    /// <summary>Legacy area, header, upper halves of YMM (Intel SDM volume 1, section 13.4).</summary>
    public const int XsaveSize = 512 + 64 + 256;

    // Selectors as Linux has them.
    public const ushort Code32 = 0x23, DataSelector = 0x2B, Code64 = 0x33;

    /// <summary>Offset of an address in code, data and stack as one array; -1 elsewhere.</summary>
    public static int Offset(ulong address) => address switch
    {
        >= Code and < Code + CodeSize => (int)(address - Code),
        >= Data and < Data + DataSize => (int)(address - Data) + CodeSize,
        >= Stack and < Stack + StackSize => (int)(address - Stack) + CodeSize + DataSize,
        _ => -1,
    };

    /// <summary>The inverse of <see cref="Offset"/>.</summary>
    public static ulong Address(int offset) => offset < CodeSize ? Code + (ulong)offset
        : offset < CodeSize + DataSize ? Data + (ulong)(offset - CodeSize)
        : Stack + (ulong)(offset - CodeSize - DataSize);
}
