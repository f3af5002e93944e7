using System.Buffers.Binary;
using Myna.Cpu.RiscV.Instructions;
using Myna.Jit.Ir;

namespace Myna.Cpu.RiscV;

/// <summary>
/// The front end of the translator: decodes guest code and lets the semantics of each instruction build its IR. One
/// translator serves one builder; nothing is allocated per block.
/// </summary>
public sealed class Translator(IrBuilder builder)
{
    /// <summary>Registers that compiled code uses most, in the order in which host registers are given to them.</summary>
    public static ReadOnlySpan<int> PinnedIntegers => [15, 14, 10, 8, 13, 2, 11, 12, 9];
    public static ReadOnlySpan<int> PinnedFloats => [15, 14, 10, 13, 11, 12, 8, 9];

    /// <summary>The instruction being built never goes on behind itself: the interpreter ends the block.</summary>
    internal bool Leaves { get; set; }

    internal BlockFlags Flags { get; private set; }

    /// <summary>Builds the superblock that starts at <paramref name="pc"/>.</summary>
    /// <param name="flags"><see cref="BlockFlags.Bits"/> at the time.</param>
    /// <param name="code">From pc to the end of its page; of an instruction that straddles two pages, just that instruction.</param>
    public void Translate(ulong pc, uint flags, ReadOnlySpan<byte> code)
    {
        Flags = new BlockFlags(flags);
        ulong start = pc;
        builder.Begin();
        builder.MmuMode = Flags.DataMode;
        TranslatorOps ops = new(this, builder);
        while (true)
        {
            if (builder.IsFull || !TryFetch(code, pc - start, out uint raw))
            {
                builder.EndJump(pc);
                return;
            }
            Fields f = InstructionTable.Decode(raw);
            builder.StartInstruction(pc, f.Length);
            Leaves = false;
            if (f.Op == Opcode.Invalid)
            {
                builder.Interpret();
                builder.EndLeave(pc);
                return;
            }
            InstructionTable.Execute<TranslatorOps, Value>(ref ops, in f);
            if (builder.IsUnsupported)
            {
                builder.Rewind();
                builder.Interpret();
                if (Leaves)
                {
                    builder.EndLeave(pc + f.Length);
                    return;
                }
                pc += f.Length;
                continue;
            }
            if (builder.HasEnded)
                return;
            pc += f.Length;
            if (builder.HasJumped)
            {
                // A jump forward inside the page goes on in the same block; a loop's closing jump ends it.
                if (builder.JumpTarget < pc || builder.JumpTarget - start >= (ulong)code.Length)
                {
                    builder.EndJump(builder.JumpTarget);
                    return;
                }
                pc = builder.JumpTarget;
            }
        }
    }

    private static bool TryFetch(ReadOnlySpan<byte> code, ulong offset, out uint raw)
    {
        raw = 0;
        if (offset + 2 > (ulong)code.Length)
            return false;
        code = code[(int)offset..];
        raw = BinaryPrimitives.ReadUInt16LittleEndian(code);
        if ((raw & 3) != 3)
            return true;
        return BinaryPrimitives.TryReadUInt32LittleEndian(code, out raw);
    }
}
