using Myna.Cpu.X86.Instructions;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>What the control registers, segments and RFLAGS make of the CPU: modes and block flags.</summary>
public sealed partial class X86Cpu
{
    private bool IsProtected => (_cr0 & Cr0.PE) != 0;
    private bool IsV86 => (State.OtherFlags & RFlag.VM) != 0;
    /// <summary>IA-32e mode: 64-bit mode or compatibility mode.</summary>
    private bool IsLong => (_efer & Efer.LMA) != 0;
    private bool Is64 => (_flags & 3) == (uint)MemSize.B8;
    private int Iopl => (int)(State.OtherFlags >> RFlag.IoplShift & 3);

    /// <summary>What translations and decoded instructions depend on now.</summary>
    public BlockFlags Flags => new(_flags);

    /// <summary>Current privilege level.</summary>
    public int Cpl => _cpl;

    /// <summary>Soft-TLB of data accesses now (<see cref="MmuMode"/>).</summary>
    public int DataMode => (int)(_flags >> 5 & 3);

    /// <summary>Soft-TLB of instruction fetches now.</summary>
    public int FetchMode => _cpl == 3 ? MmuMode.User : MmuMode.Supervisor;

    /// <summary>The instruction pointer: RIP, EIP or IP.</summary>
    public ulong Ip => ToIp(Block.Context.Pc);

    private ulong ToIp(ulong pc) => Is64 ? pc : (uint)(pc - State.Bases[(int)SegmentRegister.Cs]);

    private ulong ToPc(ulong ip) => Is64 ? ip : (uint)(ip + State.Bases[(int)SegmentRegister.Cs]);

    /// <summary>
    /// RFLAGS. Setting it replaces everything, and <see cref="Flags"/> follow; it checks nothing.
    /// </summary>
    public ulong RFlags
    {
        get => State.OtherFlags & ~RFlag.Arithmetic | ArithmeticFlags;
        set
        {
            SetArithmeticFlags(value);
            State.OtherFlags = value & RFlag.Defined & ~RFlag.Arithmetic | RFlag.Reserved1;
            UpdateFlags();
        }
    }

    private ulong ArithmeticFlags => LazyFlags.Compute(State.LazyOp, State.LazyA, State.LazyB, State.LazyResult);

    private void SetArithmeticFlags(ulong flags)
    {
        ref X86Registers r = ref State;
        r.LazyOp = 0;
        r.LazyResult = flags & RFlag.Arithmetic;
    }

    /// <summary>
    /// Derives <see cref="Flags"/>. Called by whoever changed a control register, a segment, RFLAGS.DF or MXCSR's masks.
    /// </summary>
    public void UpdateFlags()
    {
        ref X86Registers r = ref State;
        bool v86 = (r.OtherFlags & RFlag.VM) != 0;
        bool protectedMode = IsProtected && !v86;
        ulong cs = r.Rights[(int)SegmentRegister.Cs];
        bool is64 = IsLong && (cs & Right.Long) != 0;
        bool stack32 = (r.Rights[(int)SegmentRegister.Ss] & Right.Big) != 0;
        uint bits = (uint)(is64 ? MemSize.B8 : (cs & Right.Big) != 0 ? MemSize.B4 : MemSize.B2);
        if (stack32 && !is64)
            bits |= 1 << 2;
        if (is64 || (protectedMode && IsFlat(ref r)))
            bits |= 1 << 3;
        if (_cpl == 3)
            bits |= 1 << 4;
        bool ac = (r.OtherFlags & RFlag.AC) != 0;
        int mode = _cpl == 3
            ? (ac && (_cr0 & Cr0.AM) != 0 ? MmuMode.UserAligned : MmuMode.User)
            : (ac && (_cr4 & Cr4.SMAP) != 0 ? MmuMode.SupervisorUserMemory : MmuMode.Supervisor);
        bits |= (uint)mode << 5;
        if ((r.OtherFlags & RFlag.DF) != 0)
            bits |= 1 << 7;
        if ((_cr0 & (Cr0.EM | Cr0.TS)) == 0)
        {
            bits |= 1 << 8;
            if ((_cr4 & Cr4.OSFXSR) != 0)
                bits |= 1 << 9;
        }
        if ((_cr4 & Cr4.OSXSAVE) != 0 && (_xcr0 & 6) == 6 && (_cr0 & Cr0.TS) == 0 && protectedMode)
            bits |= 1 << 10;
        if ((Block.Context.Mxcsr & 0x1F80) == 0x1F80)
            bits |= 1 << 11;
        bool slow = (r.OtherFlags & RFlag.TF) != 0 || (_dr7 & 0xFF) != 0;
        if (slow)
            bits |= 1 << 12;
        if (protectedMode)
            bits |= 1 << 13;
        _levels = (_cr0 & Cr0.PG) == 0 ? 0 : (_cr4 & Cr4.PAE) == 0 ? 2 : !IsLong ? 3 : (_cr4 & Cr4.LA57) != 0 ? 5 : 4;
        if (bits != _flags)
        {
            _flags = bits;
            Generation++;
        }
        if (slow)
            RequestExit(ExitRequests.Slow);
    }

    private static bool IsFlat(ref X86Registers r)
    {
        // Writable data, expanding upwards; code that is readable.
        return IsFlat(ref r, SegmentRegister.Cs, Right.Code | Right.Writable, Right.Code | Right.Writable)
            && IsFlat(ref r, SegmentRegister.Ds, Right.Code | Right.ExpandDown | Right.Writable, Right.Writable)
            && IsFlat(ref r, SegmentRegister.Es, Right.Code | Right.ExpandDown | Right.Writable, Right.Writable)
            && IsFlat(ref r, SegmentRegister.Ss, Right.Code | Right.ExpandDown | Right.Writable, Right.Writable);
    }

    private static bool IsFlat(ref X86Registers r, SegmentRegister segment, ulong mask, ulong wanted)
        => r.Bases[(int)segment] == 0 && r.Limits[(int)segment] == uint.MaxValue && (r.Rights[(int)segment] & (mask | Right.Unusable)) == wanted;

    private bool IsBreakpointEnabled(int i) => (_dr7 >> (2 * i) & 3) != 0;

    /// <summary>0 execute, 1 write, 2 I/O, 3 read or write.</summary>
    private int BreakpointType(int i) => (int)(_dr7 >> (16 + (4 * i)) & 3);

    private int BreakpointLength(int i) => (_dr7 >> (18 + (4 * i)) & 3) switch { 0 => 1, 1 => 2, 2 => 8, _ => 4 };

    /// <summary>Size of the stack pointer: 8 in 64-bit mode, else by SS.B.</summary>
    private MemSize StackSize => Is64 ? MemSize.B8 : Flags.Stack32 ? MemSize.B4 : MemSize.B2;

    private static ulong Mask(MemSize size) => size switch { MemSize.B1 => 0xFF, MemSize.B2 => 0xFFFF, MemSize.B4 => uint.MaxValue, _ => ulong.MaxValue };

    private ulong StackPointer
    {
        get => State.General[4] & Mask(StackSize);
        set => State.General[4] = MergeStackPointer(value, StackSize);
    }

    private ulong MergeStackPointer(ulong value, MemSize size)
        => size switch { MemSize.B2 => State.General[4] & ~0xFFFFUL | (ushort)value, MemSize.B4 => (uint)value, _ => value };

    /// <summary>Whether an address is canonical: its upper bits are copies of the highest one that is translated.</summary>
    internal bool IsCanonical(ulong address) => IsCanonical(address, _levels == 5);

    private static bool IsCanonical(ulong address, bool la57)
    {
        int unused = la57 ? 7 : 16;
        return (ulong)((long)(address << unused) >> unused) == address;
    }
}
