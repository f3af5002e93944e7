using Myna.Host.Kvm;

namespace Myna.Cpu.X86.Kvm;

// Instructions that the kernel's emulator does not know, or could not fetch.
public sealed partial class KvmX86Engine
{
    /// <summary>What an instruction reads and writes beside memory, integer registers and, when it faults, what delivers exceptions.</summary>
    private enum Needs
    {
        Nothing,
        Vectors,
        VectorsAndXcr0,
        Everything,
    }

    /// <returns>False: the state is the CPU's again.</returns>
    private bool CompleteInstruction(ref KvmRun run)
    {
        if (_machine.Log.Enabled)
            _machine.Log.Info($"cpu {_cpu.Index}: {run.Describe()}");
        _completions++;
        // Where one is, others are not far.
        _vcpu.BringsRegisters = true;
        if (_sharesRegisters && TryCompleteInside(NeedsOf(run.FailedInstruction())))
            return true;
        if (PullState())
            return false;
        ulong count = _cpu.Block.Context.InstructionCount;
        _chips?.BeginInterpreting();
        try
        {
            _cpu.StepForKvm();
        }
        finally
        {
            _chips?.EndInterpreting();
        }
        _completed += _cpu.Block.Context.InstructionCount - count;
        return false;
    }

    /// <summary>Takes no more of the state out of the kernel than the instruction needs. What is left there does not change, and whoever stops the CPU gets all of it.</summary>
    private bool TryCompleteInside(Needs needs)
    {
        const ulong Trap = RFlag.TF;
        if (needs == Needs.Everything || !_vcpu.TryGetShared(out KvmRegs regs, out KvmSregs sregs, out KvmVcpuEvents events) || events.IsAnythingOnItsWay || (regs.Rflags & Trap) != 0 || LacksDirectoryPointers(sregs))
            return false;
        if (needs == Needs.VectorsAndXcr0)
            _cpu.ReadKvmXcr0(_xcr0 = _vcpu.Xcr0);
        _cpu.ReadKvm(regs, sregs);
        _cpu.ReadKvmShadow(events);
        if (needs != Needs.Nothing)
        {
            _vcpu.ReadXsave(_machine.HasXsave2);
            _cpu.ReadKvmXsave(_vcpu.Xsave);
        }
        NoteState(eventsKnown: true);
        ulong count = _cpu.Block.Context.InstructionCount;
        _cpu.StepForKvm();
        _completed += _cpu.Block.Context.InstructionCount - count;
        return TryPushState(msrs: false) ? true : throw new IOException($"KVM: cpu {_cpu.Index}: the state behind an instruction is refused");
    }

    private static Needs NeedsOf(ReadOnlySpan<byte> instruction)
    {
        int at = 0;
        // Prefixes, REX too: INC and DEC, which it is outside 64-bit mode, are in every emulator.
        while (at < instruction.Length && instruction[at] is 0x26 or 0x2e or 0x36 or 0x3e or (>= 0x40 and <= 0x4f) or 0x64 or 0x65 or 0x66 or 0x67 or 0xf0 or 0xf2 or 0xf3)
            at++;
        if (at + 2 >= instruction.Length)
            return Needs.Everything;
        byte operation = instruction[at + 1];
        int extension = instruction[at + 2] >> 3 & 7;
        return instruction[at] switch
        {
            >= 0xd8 and <= 0xdf => Needs.Vectors,
            0xc4 or 0xc5 => Needs.VectorsAndXcr0,
            0x0f => operation switch
            {
                // POPCNT, TZCNT, LZCNT, CMPXCHG8B and CMPXCHG16B.
                0xb8 or 0xbc or 0xbd => Needs.Nothing,
                0xc7 when extension == 1 => Needs.Nothing,
                // MMX and SSE; LDMXCSR and STMXCSR.
                (>= 0x10 and <= 0x17) or (>= 0x28 and <= 0x2f) or (>= 0x50 and <= 0x77) or 0x7c or 0x7d or 0x7e or 0x7f or 0xc2 or (>= 0xc4 and <= 0xc6) or (>= 0xd0 and <= 0xfe) or 0x3a => Needs.Vectors,
                0x38 when instruction[at + 2] is < 0x80 or (>= 0xc8 and <= 0xdf) => Needs.Vectors,
                0xae when extension is 2 or 3 => Needs.Vectors,
                _ => Needs.Everything,
            },
            _ => Needs.Everything,
        };
    }
}
