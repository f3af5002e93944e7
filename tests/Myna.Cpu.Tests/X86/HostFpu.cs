using System.Buffers.Binary;
using Myna.Host;

namespace Myna.Cpu.Tests.X86;

/// <summary>
/// Executes one x87 or MMX instruction on the host's processor, between FXRSTOR and FXSAVE, FNSAVE. The same program and block serve the
/// emulated CPU. The memory operand is at the block's start, which RSI and RDI hold.
/// </summary>
internal sealed unsafe class HostFpu : IDisposable
{
    public const int StateIn = 0x100, StateOut = 0x300, SaveOut = 0x500, FlagsIn = 0x600, FlagsOut = 0x608, RaxIn = 0x610, RaxOut = 0x618, Mxcsr = 0x620, Size = 0x640;
    private const int BlockOffset = 4096;
    private readonly ExecutableMemory _memory = new(8192);
    private byte[] _program = [];

    // SAFETY: inside the mapping.
    public Span<byte> Block => new((byte*)_memory.Address + BlockOffset, Size);

    /// <summary>What runs before the return: instructions for both processors.</summary>
    public ReadOnlySpan<byte> Program => _program;

    public void Prepare(ReadOnlySpan<byte> instruction)
    {
        using var code = new MemoryStream();
        void Operand(int offset, params ReadOnlySpan<byte> opcode)
        {
            code.Write(opcode);
            code.Write(BitConverter.GetBytes(offset));
        }
        Operand(StateIn, 0x48, 0x0F, 0xAE, 0x8F); // fxrstor64 [rdi + offset]
        Operand(RaxIn, 0x48, 0x8B, 0x87);
        code.Write([0x48, 0x89, 0xFE]); // mov rsi, rdi
        Operand(FlagsIn, 0xFF, 0xB7);
        code.Write([0x9D]); // popfq
        code.Write(instruction);
        code.Write([0x9C]); // pushfq
        Operand(FlagsOut, 0x8F, 0x87);
        Operand(RaxOut, 0x48, 0x89, 0x87);
        Operand(StateOut, 0x48, 0x0F, 0xAE, 0x87); // fxsave64 [rdi + offset]
        Operand(SaveOut, 0xDD, 0xB7); // fnsave [rdi + offset]
        _program = code.ToArray();
        code.Write([0xDB, 0xE3]); // fninit
        Operand(Mxcsr, 0x0F, 0xAE, 0x97); // ldmxcsr [rdi + offset]
        code.Write([0xC3]);
        // SAFETY: the program is much shorter than a page.
        code.ToArray().CopyTo(new Span<byte>((byte*)_memory.Address, BlockOffset));
    }

    public void Run()
    {
        BinaryPrimitives.WriteUInt32LittleEndian(Block[Mxcsr..], 0x1F80);
        // SAFETY: a function of the C ABI that touches the block and registers which it may change.
        ((delegate* unmanaged<byte*, void>)_memory.Address)((byte*)_memory.Address + BlockOffset);
    }

    public void Dispose() => _memory.Dispose();
}
