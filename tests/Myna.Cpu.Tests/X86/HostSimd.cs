using Myna.Host;

namespace Myna.Cpu.Tests.X86;

/// <summary>
/// Executes one vector instruction on the host's processor: YMM0 to YMM2, RAX, RDX, MXCSR are loaded from a block, and they and the flags stored
/// behind it. The same program and block serve the emulated CPU. RDI holds the block's address.
/// </summary>
internal sealed unsafe class HostSimd : IDisposable
{
    public const int Memory = 0x80, RaxIn = 0xC0, RdxIn = 0xC8, MxcsrIn = 0xD0, MxcsrHost = 0xD4, Out = 0x100, RaxOut = 0x160, RcxOut = 0x168, MxcsrOut = 0x170, FlagsOut = 0x178, Size = 0x180;
    private const int BlockOffset = 4096;
    private readonly ExecutableMemory _memory = new(8192);
    private byte[] _program = [];

    // SAFETY: inside the mapping.
    public Span<byte> Block => new((byte*)_memory.Address + BlockOffset, Size);

    /// <summary>What runs before the return: instructions for both processors.</summary>
    public ReadOnlySpan<byte> Program => _program;

    /// <summary>How many instructions that is.</summary>
    public const int Steps = 7 + 1 + 8;

    public void Prepare(ReadOnlySpan<byte> instruction)
    {
        using var code = new MemoryStream();
        void Operand(int offset, params ReadOnlySpan<byte> opcode)
        {
            code.Write(opcode);
            code.Write(BitConverter.GetBytes(offset));
        }
        for (byte i = 0; i < 3; i++)
            Operand(i * 32, 0xC5, 0xFE, 0x6F, (byte)(0x87 | i << 3)); // vmovdqu ymm, [rdi + offset]
        Operand(RaxIn, 0x48, 0x8B, 0x87);
        Operand(RdxIn, 0x48, 0x8B, 0x97);
        Operand(MxcsrIn, 0x0F, 0xAE, 0x97); // ldmxcsr
        code.Write([0x31, 0xC9]); // xor ecx, ecx
        code.Write(instruction);
        code.Write([0x9C]); // pushfq
        Operand(FlagsOut, 0x8F, 0x87);
        Operand(MxcsrOut, 0x0F, 0xAE, 0x9F); // stmxcsr
        Operand(RaxOut, 0x48, 0x89, 0x87);
        Operand(RcxOut, 0x48, 0x89, 0x8F);
        for (byte i = 0; i < 3; i++)
            Operand(Out + (i * 32), 0xC5, 0xFE, 0x7F, (byte)(0x87 | i << 3));
        _program = code.ToArray();
        Operand(MxcsrHost, 0x0F, 0xAE, 0x97);
        code.Write([0xC5, 0xF8, 0x77, 0xC3]); // vzeroupper; ret
        // SAFETY: the program is much shorter than a page.
        code.ToArray().CopyTo(new Span<byte>((byte*)_memory.Address, BlockOffset));
    }

    public void Run()
    {
        BitConverter.TryWriteBytes(Block[MxcsrHost..], 0x1F80);
        // SAFETY: a function of the C ABI that touches the block and registers which it may change.
        ((delegate* unmanaged<byte*, void>)_memory.Address)((byte*)_memory.Address + BlockOffset);
    }

    public void Dispose() => _memory.Dispose();
}
