using System.Buffers.Binary;
using Myna.Cpu.Engines;
using Myna.Cpu.RiscV.Instructions;
using Myna.Hardware.Memory;
using Myna.Jit.Ir;
using Myna.Jit.Memory;

namespace Myna.Cpu.RiscV;

/// <summary>
/// The front end of the translator: decodes guest code and lets the semantics of each instruction build its IR. Nothing
/// is allocated per block.
/// </summary>
internal sealed class Translator(ICodeSource source)
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
            CodePage? second = null;
            if (!TryFetch(page, (int)(pc - start), out uint raw))
            {
                // The next page's translation may change without this block's knowledge: there the instruction has a block of its own.
                // A page not known yet makes none; the interpreter fetches from it, and the next time it is known.
                if (builder.Length != 0 && !User)
                    builder.EndJump(pc);
                else if (TryStraddle(pc, ref raw, out CodePage other))
                    second = other;
                else if (builder.Length != 0)
                    builder.EndJump(pc);
                if (second is null)
                    return;
            }
            Fields f = InstructionTable.Decode(raw);
            builder.StartInstruction(pc, f.Length);
            if (second is { } page2)
                builder.ContinueIn(page2, pc + 2, source.FetchMode);
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

    // The upper half of an instruction whose lower half is a page's end.
    private bool TryStraddle(ulong pc, ref uint raw, out CodePage second)
    {
        Span<byte> half = stackalloc byte[2];
        if (!source.TryReadSecond(pc + 2, half, out second))
            return false;
        raw |= (uint)BinaryPrimitives.ReadUInt16LittleEndian(half) << 16;
        return true;
    }

    // False when the instruction goes on behind the page: only its lower half is there.
    private static bool TryFetch(ReadOnlySpan<byte> page, int offset, out uint raw)
    {
        ReadOnlySpan<byte> code = page[offset..];
        raw = BinaryPrimitives.ReadUInt16LittleEndian(code);
        if ((raw & 3) != 3)
            return true;
        if (code.Length < 4)
            return false;
        raw = BinaryPrimitives.ReadUInt32LittleEndian(code);
        return true;
    }
}
