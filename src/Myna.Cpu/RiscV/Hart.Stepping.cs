using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Myna.Cpu.RiscV.Instructions;
using Myna.Cpu.RiscV.Sbi;
using Myna.Jit.Memory;

namespace Myna.Cpu.RiscV;

/// <summary>Comparison, disassembly and the list of mappings, for debuggers and the monitor.</summary>
public sealed partial class Hart
{
    internal override bool HasSameRegisters(EmulatedCpu other)
    {
        ref RiscVRegisters mine = ref Registers64, theirs = ref ((Hart)other).Registers64;
        return ((ReadOnlySpan<ulong>)mine.X).SequenceEqual(theirs.X) && ((ReadOnlySpan<ulong>)mine.F).SequenceEqual(theirs.F);
    }

    /// <inheritdoc/>
    public override bool TryDisassemble(ulong va, out string text, out int length)
    {
        text = "";
        length = 0;
        Span<byte> bytes = stackalloc byte[4];
        bytes.Clear();
        // The second half may lie on a page that is not there.
        if (!ReadMemory(va, bytes[..2]))
            return false;
        length = (bytes[0] & 3) == 3 ? 4 : 2;
        if (length == 4 && !ReadMemory(va + 2, bytes[2..]))
            return false;
        text = Disassembler.Format(BinaryPrimitives.ReadUInt32LittleEndian(bytes), va);
        return true;
    }

    /// <inheritdoc/>
    public override IEnumerable<Mapping> Mappings()
    {
        if (_levels == 0)
            return [];
        var found = new List<Mapping>();
        Collect(found, (_satp & Pte.PpnMask) << 12, _levels - 1, 0);
        return found;
    }

    private void Collect(List<Mapping> found, ulong table, int level, ulong prefix)
    {
        const int MaximumRanges = 100_000;
        if (!_memory.FindRam(table, 4096, out Hardware.Memory.Ram? ram, out ulong offset, out int run) || run < 4096)
            return;
        ReadOnlySpan<ulong> entries = MemoryMarshal.Cast<byte, ulong>(ram.Get(offset, 4096));
        int shift = 12 + 9 * level;
        for (int i = 0; i < 512; i++)
        {
            ulong pte = entries[i];
            if ((pte & Pte.V) == 0)
                continue;
            ulong va = prefix | (ulong)i << shift;
            // Sign-extended from the highest translated bit.
            int unused = 64 - (12 + 9 * _levels);
            va = (ulong)((long)(va << unused) >> unused);
            ulong ppn = pte >> 10 & Pte.PpnMask;
            if ((pte & (Pte.R | Pte.X)) == 0)
            {
                if (level > 0 && found.Count < MaximumRanges)
                    Collect(found, ppn << 12, level - 1, prefix | (ulong)i << shift);
                continue;
            }
            ulong size = 1UL << shift;
            ulong pa = ppn << 12;
            if ((pte & Pte.N) != 0)
                pa = (ppn & ~0xFUL | (ulong)i & 0xF) << 12;
            Append(found, new Mapping(va, pa, size, (pte & Pte.R) != 0, (pte & Pte.W) != 0, (pte & Pte.X) != 0, (pte & Pte.U) != 0));
        }
    }
}
