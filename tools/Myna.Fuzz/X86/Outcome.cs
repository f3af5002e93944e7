namespace Myna.Fuzz.X86;

/// <summary>The state in which a case ended.</summary>
internal sealed class Outcome
{
    /// <summary>In the order of encodings: RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 to R15.</summary>
    public ulong[] Gpr { get; } = new ulong[16];
    public ulong Rip { get; set; }
    public ulong Rflags { get; set; }
    public ulong FsBase { get; set; }
    public ulong GsBase { get; set; }

    /// <summary>Legacy area, header and upper halves as XSAVE writes them.</summary>
    public byte[] Xsave { get; } = new byte[Layout.XsaveSize];

    /// <summary>Code, data and stack.</summary>
    public byte[] Memory { get; } = new byte[Layout.MemorySize];

    /// <summary>The exception's vector; -1 when the case did not come to an end.</summary>
    public int Vector { get; set; }
    public ulong ErrorCode { get; set; }
    public ulong Cr2 { get; set; }
}
