using System.Runtime.Intrinsics;
using Myna.Cpu.X86.Instructions;
using Myna.Hardware.State;
using Myna.Jit.Operations;
using Myna.Jit.X87;

namespace Myna.Cpu.X86;

// The x87 FPU (Intel SDM volume 1, chapter 8): register stack, exceptions, and memory operands. Arithmetic is the host's.
public sealed partial class X86Cpu
{
    // Status word.
    private const int StatusStackFault = 0x40, StatusSummary = 0x80, StatusC0 = 0x100, StatusC1 = 0x200, StatusC2 = 0x400, StatusC3 = 0x4000, StatusBusy = 0x8000;
    private const int StatusConditions = StatusC0 | StatusC1 | StatusC2 | StatusC3;
    private const int StatusExceptions = 0x3F, StatusTop = 0x3800;
    private const int Invalid = 1, Denormal = 2, ZeroDivide = 4, Overflow = 8, Underflow = 16;

    /// <summary>Exceptions that, unmasked, leave the operands as they are (Intel SDM volume 1, 8.5).</summary>
    private const int BeforeComputation = Invalid | Denormal | ZeroDivide;

    /// <summary>The result of a masked invalid operation.</summary>
    private static readonly Vector128<ulong> s_indefinite = Vector128.Create(0xC000_0000_0000_0000, 0xFFFF);

    [NotSaved("scratch of one instruction")]
    private X87Operands _x87;

    private int X87Top
    {
        get => State.X87Status >> 11 & 7;
        set => State.X87Status = (ushort)((State.X87Status & ~StatusTop) | (value & 7) << 11);
    }

    /// <summary>Physical number of ST(i).</summary>
    private int X87Register(int i) => (X87Top + i) & 7;

    private bool X87IsEmpty(int i) => (State.X87Empty >> X87Register(i) & 1) != 0;

    private Vector128<ulong> X87Get(int i) => State.X87[X87Register(i)];

    private void X87Set(int i, Vector128<ulong> value)
    {
        int r = X87Register(i);
        ref X86Registers state = ref State;
        state.X87[r] = value & Vector128.Create(ulong.MaxValue, 0xFFFF);
        state.X87Empty &= (byte)~(1 << r);
    }

    private void X87Push(Vector128<ulong> value)
    {
        X87Top--;
        X87Set(0, value);
    }

    private void X87Pop(int count = 1)
    {
        for (; count > 0; count--)
        {
            State.X87Empty |= (byte)(1 << X87Top);
            X87Top++;
        }
    }

    private void X87Conditions(int mask, int status) => State.X87Status = (ushort)((State.X87Status & ~mask) | (status & mask));

    /// <summary>Error summary and busy: an exception is pending whose mask is clear (Intel SDM volume 1, 8.1.3.3).</summary>
    private void X87Summarize()
    {
        ref X86Registers state = ref State;
        int status = state.X87Status & ~(StatusSummary | StatusBusy);
        if ((status & ~state.X87Control & StatusExceptions) != 0)
            status |= StatusSummary | StatusBusy;
        state.X87Status = (ushort)status;
    }

    /// <summary>What every waiting x87 instruction looks at first: device not available, pending exceptions. False: it faulted.</summary>
    private bool X87Begin()
    {
        if (!Flags.X87On)
        {
            RaiseException(Vector.NM);
            return false;
        }
        return X87CheckPending();
    }

    private bool X87CheckPending()
    {
        if ((State.X87Status & StatusSummary) == 0)
            return true;
        if ((_cr0 & Cr0.NE) != 0)
        {
            RaiseException(Vector.MF);
            return false;
        }
        // LIMIT: with CR0.NE clear the processor would stand still until an interrupt or IGNNE# comes; here the interrupt comes behind the instruction.
        _options.FloatingPointError?.Invoke();
        return true;
    }

    /// <summary>Remembers instruction and operand for exception handlers (Intel SDM volume 1, 8.1.8).</summary>
    private void X87SetPointers(in Insn insn)
    {
        ref X86Registers state = ref State;
        state.X87Opcode = (ushort)(insn.Immediate & 0x7FF);
        state.X87InstructionPointer = Block.Context.Pc - state.Bases[(int)SegmentRegister.Cs];
        state.X87CodeSelector = (ushort)state.Selectors[(int)SegmentRegister.Cs];
        if (X87HasMemory(insn))
        {
            state.X87DataPointer = X87Offset(insn);
            state.X87DataSelector = (ushort)state.Selectors[(int)insn.Segment];
        }
    }

    private static bool X87HasMemory(in Insn insn) => (insn.Immediate & 0xC0) != 0xC0;

    /// <summary>The register that the instruction names.</summary>
    private static int X87Operand(in Insn insn) => (int)insn.Immediate & 7;

    /// <summary>
    /// Stack underflow or overflow. True: it is masked, and the instruction goes on with the indefinite NaN.
    /// </summary>
    private bool X87StackFault(bool overflow)
    {
        ref X86Registers state = ref State;
        state.X87Status = (ushort)((state.X87Status & ~StatusC1) | Invalid | StatusStackFault | (overflow ? StatusC1 : 0));
        X87Summarize();
        return (state.X87Control & Invalid) != 0;
    }

    private static bool X87IsNaN(Vector128<ulong> value) => (value[1] & 0x7FFF) == 0x7FFF && value[0] << 1 != 0;

    /// <summary>Executes on <see cref="_x87"/>; its status is then to be given to <see cref="X87Accrue"/>.</summary>
    private void X87Compute(X87Operation operation)
    {
        _x87.Control = State.X87Control;
        HostX87.Execute(operation, ref _x87);
    }

    /// <summary>Takes over exceptions and C1 of what was computed. False: an unmasked exception keeps the result from being delivered.</summary>
    /// <param name="preventing">Exceptions that do.</param>
    private bool X87Accrue(int preventing = BeforeComputation)
    {
        ref X86Registers state = ref State;
        int raised = _x87.Status & StatusExceptions;
        int status = (state.X87Status & ~StatusC1) | raised | (_x87.Status & StatusC1);
        int unmasked = raised & ~state.X87Control;
        if (unmasked != 0)
            status |= StatusSummary | StatusBusy;
        state.X87Status = (ushort)status;
        return (unmasked & preventing) == 0;
    }

    /// <summary>Offset of the memory operand in its segment.</summary>
    private ulong X87Offset(in Insn insn)
    {
        ref X86Registers state = ref State;
        ulong offset = insn.Displacement;
        if (insn.Base == Insn.Rip)
            offset += Block.Context.Pc - state.Bases[(int)SegmentRegister.Cs] + insn.Length;
        else if (insn.Base != Insn.NoRegister)
            offset += state.General[insn.Base];
        if (insn.Index != Insn.NoRegister)
            offset += state.General[insn.Index] << insn.Scale;
        return insn.AddressSize switch
        {
            MemSize.B2 => (ushort)offset,
            MemSize.B4 => (uint)offset,
            _ => offset,
        };
    }

    /// <summary>Linear address of the memory operand, checked. False: it faulted.</summary>
    private bool X87Linear(in Insn insn, int bytes, bool write, out ulong linear) =>
        CheckSegment(insn.Segment, X87Offset(insn), bytes, write, out linear);

    /// <summary>Reads a memory operand of 2, 4, 8 or 10 bytes.</summary>
    private bool X87Read(in Insn insn, int bytes, out Vector128<ulong> value)
    {
        value = default;
        if (!X87Linear(insn, bytes, write: false, out ulong linear))
            return false;
        if (bytes != 10)
        {
            if (!Load(linear, bytes == 2 ? MemSize.B2 : bytes == 4 ? MemSize.B4 : MemSize.B8, DataMode, out ulong plain))
                return false;
            value = Vector128.CreateScalar(plain);
            return true;
        }
        if (!Load(linear, MemSize.B8, DataMode, out ulong low) || !Load(linear + 8, MemSize.B2, DataMode, out ulong high))
            return false;
        value = Vector128.Create(low, high);
        return true;
    }

    /// <summary>Writes a memory operand of 2, 4, 8 or 10 bytes, all or nothing.</summary>
    private bool X87Write(in Insn insn, int bytes, Vector128<ulong> value)
    {
        if (!X87Linear(insn, bytes, write: true, out ulong linear))
            return false;
        if (bytes != 10)
            return Store(linear, bytes == 2 ? MemSize.B2 : bytes == 4 ? MemSize.B4 : MemSize.B8, DataMode, value[0]);
        return ProbeWrite(linear, 10, DataMode, alignment: 8) && Store(linear, MemSize.B8, DataMode, value[0]) && Store(linear + 8, MemSize.B2, DataMode, value[1]);
    }
}
