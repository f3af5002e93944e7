using System.Buffers.Binary;
using Myna.Cpu.RiscV.Instructions;
using Myna.Hardware.Memory;
using Myna.Jit.Ir;

namespace Myna.Cpu.RiscV;

/// <summary>
/// The front end of the translator: decodes guest code and lets the semantics of each instruction build its IR. Nothing
/// is allocated per block.
/// </summary>
public sealed class Translator
{
    /// <summary>Registers that compiled code uses most, in the order in which host registers are given to them.</summary>
    public static ReadOnlySpan<int> PinnedIntegers => [15, 14, 10, 8, 13, 2, 11, 12, 9];
    public static ReadOnlySpan<int> PinnedFloats => [15, 14, 10, 13, 11, 12, 8, 9];

    /// <summary>The instruction being built never goes on behind itself: the interpreter ends the block.</summary>
    internal bool Leaves { get; set; }

    /// <summary>The instruction being built is the block's last.</summary>
    internal bool EndsBlock { get; set; }

    /// <summary>Translates a user program: FENCE.I has work to do.</summary>
    internal bool User { get; init; }

    internal BlockFlags Flags { get; private set; }

    /// <summary>Addresses at which a block may begin but not go on; null when there are none.</summary>
    internal IReadOnlySet<ulong>? Breakpoints { get; set; }

    /// <summary>Builds the superblock that starts at <paramref name="pc"/>.</summary>
    /// <param name="flags"><see cref="BlockFlags.Bits"/> at the time.</param>
    /// <param name="page">The page that holds pc.</param>
    /// <param name="maxLength">Instructions at most.</param>
    public void Translate(IrBuilder builder, ulong pc, uint flags, ReadOnlySpan<byte> page, int maxLength)
    {
        Flags = new BlockFlags(flags);
        ulong start = pc & ~(ulong)(Ram.PageSize - 1);
        builder.MmuMode = Flags.DataMode;
        builder.CountInstructions = Flags.CountInstructions;
        TranslatorOps ops = new(this, builder);
        while (true)
        {
            if (builder.IsFull || builder.Length >= maxLength || pc - start >= Ram.PageSize
                || Breakpoints is not null && builder.Length != 0 && Breakpoints.Contains(pc))
            {
                builder.EndJump(pc);
                return;
            }
            if (!TryFetch(page, (int)(pc - start), out uint raw))
            {
                // It goes on in the next page, whose translation may change without this block's knowledge.
                builder.StartInstruction(pc, 4);
                builder.Interpret();
                builder.EndLeave(pc + 4);
                return;
            }
            Fields f = InstructionTable.Decode(raw);
            builder.StartInstruction(pc, f.Length);
            Leaves = EndsBlock = false;
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
            if (EndsBlock)
            {
                builder.EndJump(pc);
                return;
            }
            if (builder.HasJumped)
            {
                // A jump forward inside the page goes on in the same block; a loop's closing jump ends it.
                if (builder.JumpTarget < pc || builder.JumpTarget - start >= Ram.PageSize)
                {
                    builder.EndJump(builder.JumpTarget);
                    return;
                }
                pc = builder.JumpTarget;
            }
        }
    }

    private static bool TryFetch(ReadOnlySpan<byte> page, int offset, out uint raw)
    {
        raw = 0;
        ReadOnlySpan<byte> code = page[offset..];
        raw = BinaryPrimitives.ReadUInt16LittleEndian(code);
        if ((raw & 3) != 3)
            return true;
        return BinaryPrimitives.TryReadUInt32LittleEndian(code, out raw);
    }
}
