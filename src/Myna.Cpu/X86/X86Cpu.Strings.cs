using Iced.Intel;
using Myna.Cpu.X86.Instructions;
using Myna.Hardware.Memory;
using Myna.Hardware.State;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>
/// Repeated string instructions, and those that read or write ports. Registers are exact after every iteration, so that a fault
/// or an interrupt finds an instruction that can be restarted.
/// </summary>
public sealed partial class X86Cpu
{
    // Iterations between two looks for interrupts; a bulk of memory counts as one.
    private const int Repetitions = 256;

    private readonly record struct StringAccess(int Bytes, MemSize Width, MemSize AddressSize, SegmentRegister Source, int Mode, bool Backward)
    {
        public ulong Mask => AddressSize switch { MemSize.B2 => 0xFFFF, MemSize.B4 => 0xFFFF_FFFF, _ => ulong.MaxValue };
    }

    /// <summary>REP, REPE, REPNE of MOVS, STOS, LODS, CMPS, SCAS.</summary>
    [X86Instruction]
    internal Flow RepeatedString(in Insn insn)
    {
        StringAccess access = Describe(in insn);
        ulong count = State.General[1] & access.Mask;
        if (count == 0)
            return Flow.Next;
        int budget = Flags.Slow ? 1 : Repetitions;
        return insn.Code switch
        {
            Code.Movsb_m8_m8 or Code.Movsw_m16_m16 or Code.Movsd_m32_m32 or Code.Movsq_m64_m64 => RepeatMove(in access, count, budget),
            Code.Stosb_m8_AL or Code.Stosw_m16_AX or Code.Stosd_m32_EAX or Code.Stosq_m64_RAX => RepeatFill(in access, count, budget),
            Code.Lodsb_AL_m8 or Code.Lodsw_AX_m16 or Code.Lodsd_EAX_m32 or Code.Lodsq_RAX_m64 => RepeatLoad(in access, count, budget),
            Code.Cmpsb_m8_m8 or Code.Cmpsw_m16_m16 or Code.Cmpsd_m32_m32 or Code.Cmpsq_m64_m64
                => RepeatCompare(in access, count, budget, (insn.Prefixes & Prefixes.Repne) == 0, memory: true),
            _ => RepeatCompare(in access, count, budget, (insn.Prefixes & Prefixes.Repne) == 0, memory: false),
        };
    }

    private StringAccess Describe(in Insn insn)
        => new(insn.Op0.Size, insn.Op0.Width, insn.AddressSize, insn.Segment, DataMode, Flags.Backward);

    [NotSaved("valid during one step")] private bool _repeats;

    // At the same instruction, after a look for interrupts.
    private Flow GoOn()
    {
        _repeats = true;
        return Flow.Jump;
    }

    private Flow RepeatMove(in StringAccess access, ulong count, int budget)
    {
        for (; budget > 0; budget--)
        {
            if (!StringAddress(in access, access.Source, 6, write: false, out ulong source)
                || !StringAddress(in access, SegmentRegister.Es, 7, write: true, out ulong destination))
            {
                return Flow.Fault;
            }
            ulong done = 1;
            int bulk = BulkBytes(in access, count, source, destination);
            if (bulk > access.Bytes && IsPlain(access.Source) && IsPlain(SegmentRegister.Es)
                && (_user is not null ? TryUserCopy(destination, source, bulk) : Block.Tlb.TryCopy(access.Mode, destination, source, bulk)))
                done = (uint)(bulk / access.Bytes);
            else if (!StringLoad(source, in access, out ulong value) || !StringStore(destination, in access, value))
                return Flow.Fault;
            count = StepString(in access, done, source: true, destination: true);
            if (count == 0)
                return Flow.Next;
        }
        return GoOn();
    }

    private Flow RepeatFill(in StringAccess access, ulong count, int budget)
    {
        ulong value = State.General[0];
        for (; budget > 0; budget--)
        {
            if (!StringAddress(in access, SegmentRegister.Es, 7, write: true, out ulong destination))
                return Flow.Fault;
            ulong done = 1;
            int bulk = BulkBytes(in access, count, destination, destination);
            if (bulk > access.Bytes && IsPlain(SegmentRegister.Es)
                && (_user is not null ? TryUserFill(destination, value, access.Bytes, bulk) : Block.Tlb.TryFill(access.Mode, destination, value, access.Width, bulk)))
                done = (uint)(bulk / access.Bytes);
            else if (!StringStore(destination, in access, value))
                return Flow.Fault;
            count = StepString(in access, done, source: false, destination: true);
            if (count == 0)
                return Flow.Next;
        }
        return GoOn();
    }

    private Flow RepeatLoad(in StringAccess access, ulong count, int budget)
    {
        for (; budget > 0; budget--)
        {
            if (!StringAddress(in access, access.Source, 6, write: false, out ulong source) || !StringLoad(source, in access, out ulong value))
                return Flow.Fault;
            SetPart(0, access.Width, value);
            count = StepString(in access, 1, source: true, destination: false);
            if (count == 0)
                return Flow.Next;
        }
        return GoOn();
    }

    private Flow RepeatCompare(in StringAccess access, ulong count, int budget, bool whileEqual, bool memory)
    {
        ulong mask = ulong.MaxValue >> (64 - (8 * access.Bytes));
        for (; budget > 0; budget--)
        {
            // As without a prefix, the operand that RDI names comes first.
            if (!StringAddress(in access, SegmentRegister.Es, 7, write: false, out ulong destination) || !StringLoad(destination, in access, out ulong b))
                return Flow.Fault;
            ulong a = State.General[0];
            if (memory && (!StringAddress(in access, access.Source, 6, write: false, out ulong source) || !StringLoad(source, in access, out a)))
                return Flow.Fault;
            count = StepString(in access, 1, source: memory, destination: true);
            State.LazyOp = LazyFlags.Op(FlagKind.Sub, access.Width);
            State.LazyA = a;
            State.LazyB = b;
            if (count == 0 || ((a ^ b) & mask) == 0 != whileEqual)
                return Flow.Next;
        }
        return GoOn();
    }

    /// <summary>INS, with and without a prefix.</summary>
    [X86Form(Code.Insb_m8_DX, Code.Insw_m16_DX, Code.Insd_m32_DX)]
    internal Flow InputString(in Insn insn)
    {
        StringAccess access = Describe(in insn);
        bool repeated = (insn.Prefixes & (Prefixes.Rep | Prefixes.Repne)) != 0;
        ushort port = (ushort)State.General[2];
        if (!CheckPort(port, access.Bytes))
            return Flow.Fault;
        if (repeated && (State.General[1] & access.Mask) == 0)
            return Flow.Next;
        for (int budget = Flags.Slow ? 1 : Repetitions; budget > 0; budget--)
        {
            // Reading a port may change a device: memory must be known to take the value.
            if (!StringAddress(in access, SegmentRegister.Es, 7, write: true, out ulong destination)
                || !ProbeWrite(destination, access.Bytes, access.Mode) || !In(port, access.Bytes, out ulong value)
                || !StringStore(destination, in access, value))
            {
                return Flow.Fault;
            }
            if (FinishPort(in access, repeated, source: false))
                return Flow.Resync;
        }
        return GoOn();
    }

    /// <summary>OUTS, with and without a prefix.</summary>
    [X86Form(Code.Outsb_DX_m8, Code.Outsw_DX_m16, Code.Outsd_DX_m32)]
    internal Flow OutputString(in Insn insn)
    {
        StringAccess access = Describe(in insn) with { Bytes = insn.Op1.Size, Width = insn.Op1.Width };
        bool repeated = (insn.Prefixes & (Prefixes.Rep | Prefixes.Repne)) != 0;
        ushort port = (ushort)State.General[2];
        if (!CheckPort(port, access.Bytes))
            return Flow.Fault;
        if (repeated && (State.General[1] & access.Mask) == 0)
            return Flow.Next;
        for (int budget = Flags.Slow ? 1 : Repetitions; budget > 0; budget--)
        {
            if (!StringAddress(in access, access.Source, 6, write: false, out ulong source)
                || !StringLoad(source, in access, out ulong value) || !Out(port, access.Bytes, value))
            {
                return Flow.Fault;
            }
            if (FinishPort(in access, repeated, source: true))
                return Flow.Resync;
        }
        return GoOn();
    }

    // Moves the pointer of a port instruction; true when the instruction is done.
    private bool FinishPort(in StringAccess access, bool repeated, bool source)
    {
        if (!repeated)
        {
            MovePointer(in access, source ? 6 : 7, 1);
            return true;
        }
        return StepString(in access, 1, source, !source) == 0;
    }

    // Linear address of the element that a pointer register names.
    private bool StringAddress(in StringAccess access, SegmentRegister segment, int pointer, bool write, out ulong linear)
    {
        ulong offset = State.General[pointer] & access.Mask;
        if (IsPlain(segment))
        {
            linear = offset;
            return true;
        }
        if (Flags.Is64)
        {
            linear = offset + State.Bases[(int)segment];
            return true;
        }
        return CheckSegment(segment, offset, access.Bytes, write, out linear);
    }

    // Offsets are linear addresses.
    private bool IsPlain(SegmentRegister segment) => (Flags.Is64 || Flags.Flat) && segment < SegmentRegister.Fs;

    private bool StringLoad(ulong linear, in StringAccess access, out ulong value)
        => Load(linear, access.Width, access.Mode, out value);

    private bool StringStore(ulong linear, in StringAccess access, ulong value)
        => Store(linear, access.Width, access.Mode, value);

    // Bytes, whole elements, that forward iterations reach without leaving either page; none when every iteration is looked at.
    private int BulkBytes(in StringAccess access, ulong count, ulong a, ulong b)
    {
        if (access.Backward || Flags.Slow)
            return 0;
        int left = Ram.PageSize - (int)Math.Max(a & (Ram.PageSize - 1), b & (Ram.PageSize - 1));
        ulong bytes = Math.Min(count, (ulong)(left / access.Bytes)) * (ulong)access.Bytes;
        return (int)bytes;
    }

    // Moves the pointers over so many elements and counts them; the count left.
    private ulong StepString(in StringAccess access, ulong elements, bool source, bool destination)
    {
        if (source)
            MovePointer(in access, 6, elements);
        if (destination)
            MovePointer(in access, 7, elements);
        ulong left = (State.General[1] - elements) & access.Mask;
        SetPart(1, access.AddressSize, left);
        return left;
    }

    private void MovePointer(in StringAccess access, int pointer, ulong elements)
    {
        ulong distance = elements * (ulong)access.Bytes;
        SetPart(pointer, access.AddressSize, State.General[pointer] + (access.Backward ? 0 - distance : distance));
    }

    // A general register as an operand of that width: 32 bits zero-extend, fewer merge.
    private void SetPart(int register, MemSize width, ulong value)
    {
        ref ulong target = ref State.General[register];
        target = width switch
        {
            MemSize.B1 => (target & ~0xFFUL) | (byte)value,
            MemSize.B2 => (target & ~0xFFFFUL) | (ushort)value,
            MemSize.B4 => (uint)value,
            _ => value,
        };
    }
}
