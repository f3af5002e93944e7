using Myna.Cpu.X86.Instructions;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>Operands of the instructions that only the CPU itself executes.</summary>
public sealed partial class X86Cpu
{
    /// <summary>Instruction pointer behind an instruction that is being executed.</summary>
    private ulong NextIp(in Insn insn)
    {
        ulong next = Ip + insn.Length;
        return Is64 ? next : (uint)next;
    }

    private ulong NextPc(in Insn insn) => ToPc(NextIp(insn));

    // Offset of the memory operand, reduced to the address size.
    private ulong EffectiveOffset(in Insn insn)
    {
        ref X86Registers r = ref State;
        ulong offset = insn.Displacement;
        if (insn.Base == Insn.Rip)
            offset += NextIp(insn);
        else if (insn.Base != Insn.NoRegister)
            offset += r.General[insn.Base];
        if (insn.Index != Insn.NoRegister)
            offset += r.General[insn.Index] << insn.Scale;
        return offset & Mask(insn.AddressSize);
    }

    private bool TryLoadMemory(in Insn insn, ulong distance, MemSize size, out ulong value)
    {
        value = 0;
        ulong offset = (EffectiveOffset(insn) + distance) & Mask(insn.AddressSize);
        return TryCheckSegment(insn.Segment, offset, 1 << (int)size, write: false, out ulong linear) && TryLoad(linear, size, DataMode, out value);
    }

    private bool TryStoreMemory(in Insn insn, ulong distance, MemSize size, ulong value)
    {
        ulong offset = (EffectiveOffset(insn) + distance) & Mask(insn.AddressSize);
        return TryCheckSegment(insn.Segment, offset, 1 << (int)size, write: true, out ulong linear) && TryStore(linear, size, DataMode, value);
    }

    private bool TryRead(in Insn insn, in Operand operand, MemSize size, out ulong value)
    {
        if (operand.Kind == OperandKind.Memory)
            return TryLoadMemory(insn, 0, size, out value);
        value = State.General[operand.Register] & Mask(size);
        return true;
    }

    private bool TryWrite(in Insn insn, in Operand operand, MemSize size, ulong value)
    {
        if (operand.Kind == OperandKind.Memory)
            return TryStoreMemory(insn, 0, size, value);
        SetGeneral(operand.Register, size, value);
        return true;
    }

    private void SetZeroFlag(bool on)
    {
        ulong flags = ArithmeticFlags & ~RFlag.ZF;
        SetArithmeticFlags(on ? flags | RFlag.ZF : flags);
    }

    // CPL 0, or real mode; not virtual-8086 mode, whose CPL is 3.
    private bool IsPrivileged => _cpl == 0;

    // Behind an instruction that may have changed anything but pc.
    private Flow Resync()
    {
        UpdateFlags();
        return Flow.Resync;
    }
}
