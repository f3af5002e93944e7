using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Myna.Cpu.RiscV.Instructions;
using Myna.Cpu.RiscV.Sbi;
using Myna.Jit.Memory;

namespace Myna.Cpu.RiscV;

/// <summary>Single steps, disassembly and the list of mappings, for debuggers and the monitor.</summary>
public sealed partial class Hart
{
    /// <inheritdoc/>
    public override StopReason Step()
    {
        if (Stepper is null)
            throw new InvalidOperationException("the hart has no engine");
        Interlocked.Exchange(ref _executing, true);
        try
        {
            var requests = (ExitRequests)Interlocked.Exchange(ref Block.Context.ExitRequest, 0);
            if ((requests & ExitRequests.Request) != 0)
                ServeRequests();
            if (_hsmValue == (int)HartState.StartPending)
                BeginSupervisor();
            if (_hsmValue != (int)HartState.Started)
                return StopReason.Waiting;
            // WFI may end at any time (section "Wait for Interrupt"): a debugger must not hang in it.
            _waiting = false;
            _watchHit = false;
            Stepper.Step();
            return _watchHit ? StopReason.Watchpoint : StopReason.InstructionLimit;
        }
        finally
        {
            _watchHit = false;
            Volatile.Write(ref _executing, false);
        }
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

    // Neighbours with the same rights are one range.
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
            var next = new Mapping(va, pa, size, (pte & Pte.R) != 0, (pte & Pte.W) != 0, (pte & Pte.X) != 0, (pte & Pte.U) != 0);
            if (found.Count != 0 && found[^1] is var last && last.Start + last.Size == va && last.Physical + last.Size == pa
                && last with { Start = 0, Physical = 0, Size = 0 } == next with { Start = 0, Physical = 0, Size = 0 })
                found[^1] = last with { Size = last.Size + size };
            else
                found.Add(next);
        }
    }
}
