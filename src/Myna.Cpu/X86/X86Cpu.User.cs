using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Myna.Cpu.X86.Instructions;
using Myna.Hardware.Memory;
using Myna.Hardware.State;
using Myna.Host.User;
using Myna.Jit.Memory;
using Myna.Jit.Operations;
using Myna.Jit.User;

namespace Myna.Cpu.X86;

/// <summary>
/// A CPU of a user program: 64-bit or compatibility mode, CPL 3, the process's own memory. System calls and every exception end
/// <see cref="VirtualCpu.Run"/> with <see cref="StopReason.Trap"/>; pc is at the instruction for faults, else behind it.
/// </summary>
public sealed partial class X86Cpu
{
    /// <summary><see cref="TrapVector"/> of system calls: SYSCALL, SYSENTER, INT 80h.</summary>
    public const int SyscallTrap = -1, SysenterTrap = -2, Int80Trap = 0x80;

    private readonly DirectMemory? _user;

    /// <summary>Whether this is a user program's CPU.</summary>
    public bool IsUser => _user is not null;

    /// <summary>The vector that ended the run, or one of the constants above.</summary>
    [field: NotSaved("valid only after a run")]
    public int TrapVector { get; private set; }

    [field: NotSaved("valid only after a run")]
    public uint TrapError { get; private set; }

    /// <summary>Of a page fault.</summary>
    [field: NotSaved("valid only after a run")]
    public ulong TrapAddress { get; private set; }

    /// <inheritdoc/>
    public override bool ReadMemory(ulong va, Span<byte> destination) => _user is null ? base.ReadMemory(va, destination) : _user.DebugRead(va, destination);

    /// <inheritdoc/>
    public override bool WriteMemory(ulong va, ReadOnlySpan<byte> source) => _user is null ? base.WriteMemory(va, source) : _user.DebugWrite(va, source);

    // As Linux lets user programs run.
    private void ResetForUser()
    {
        _waitsForStartup = false;
        _cr0 = Cr0.PE | Cr0.MP | Cr0.ET | Cr0.NE | Cr0.WP | Cr0.PG;
        _cr4 = Cr4.PAE | Cr4.OSFXSR | Cr4.OSXMMEXCPT | Cr4.FSGSBASE | (Model.Has(CpuFeature.Xsave) ? Cr4.OSXSAVE : 0);
        _efer = Efer.SCE | Efer.LME | Efer.LMA | Efer.NXE;
        _xcr0 = Model.Has(CpuFeature.Avx) ? 7ul : 3;
        _cpl = 3;
        ref X86Registers r = ref State;
        r.General = default;
        bool wide = !_options.User32;
        SetFlatSegment(SegmentRegister.Cs, wide ? UserCode : User32Code, 3, wide, code: true);
        SetFlatSegment(SegmentRegister.Ss, UserData, 3, wide, code: false);
        foreach (SegmentRegister segment in (ReadOnlySpan<SegmentRegister>)[SegmentRegister.Ds, SegmentRegister.Es])
            SetFlatSegment(segment, wide ? 0ul : UserData, 3, wide, code: false);
        foreach (SegmentRegister segment in (ReadOnlySpan<SegmentRegister>)[SegmentRegister.Fs, SegmentRegister.Gs])
        {
            if (wide)
                SetFlatSegment(segment, 0, 3, wide, code: false);
            else
                SetNullSegment(segment, 0);
        }
        RFlags = RFlag.Reserved1 | RFlag.IF;
        r.X87Control = X87InitialControl;
        r.X87Status = 0;
        r.X87Empty = 0xFF;
        Block.Context.Mxcsr = Mxcsr.Reset;
    }

    private void Trap(int vector, bool fault, uint error, ulong ip)
    {
        TrapVector = vector;
        TrapError = error;
        TrapAddress = _faultAddress;
        if (!fault)
            Block.Context.Pc = ip;
        RequestExit(ExitRequests.Trap);
    }

    private Flow SystemCall(ulong next, ulong flags)
    {
        ref X86Registers r = ref State;
        r.General[1] = next;
        r.General[11] = flags;
        return SystemCall(SyscallTrap, next);
    }

    private Flow SystemCall(int trap, ulong next)
    {
        TrapVector = trap;
        Block.Context.Pc = next;
        RequestExit(ExitRequests.Trap);
        return Flow.Return;
    }

    // The first byte that cannot be accessed.
    private bool UserFault(ulong linear, int bytes, PageRights access)
    {
        ulong last = linear + (ulong)bytes - 1;
        if (((linear ^ last) & ~PageMask) != 0 && (_user!.Space.RightsAt(linear) & access) != 0)
            linear = last & ~PageMask;
        _faultAddress = linear;
        bool present = _user!.Space.IsMapped(linear);
        return Fault(Vector.PF, (present ? 1u : 0) | (access == PageRights.Write ? 2u : 0) | 4 | (access == PageRights.Execute ? 16u : 0));
    }

    private bool UserProbe(ulong first, ulong last, PageRights access)
    {
        if ((_user!.Space.RightsAt(first) & access) == 0)
            return UserFault(first, 1, access);
        return ((first ^ last) & ~PageMask) == 0 || (_user.Space.RightsAt(last) & access) != 0 || UserFault(last & ~PageMask, 1, access);
    }

    /// <summary>A locked operation that generated code has not done.</summary>
    internal bool UserUpdate(AtomicOp op, ulong linear, MemSize size, ulong operand, out ulong old)
    {
        if (!SafeMemory.TryLoad(linear, (int)size, out old))
            return UserFault(linear, 1 << (int)size, PageRights.Read) || Delivered();
        while (true)
        {
            if (!SafeMemory.TryExchange(linear, (int)size, old, SoftTlb.Apply(op, old, operand), out ulong seen))
                return UserFault(linear, 1 << (int)size, PageRights.Write) || Delivered();
            if (seen == old)
                return true;
            old = seen;
        }
    }

    /// <inheritdoc cref="UserUpdate"/>
    internal bool UserExchange(ulong linear, MemSize size, ulong expected, ulong desired, out ulong old)
        => SafeMemory.TryExchange(linear, (int)size, expected, desired, out old) || UserFault(linear, 1 << (int)size, PageRights.Write) || Delivered();

    // Of at most a page. What could not be done is done again, element by element, up to the fault.
    private static bool TryUserCopy(ulong destination, ulong source, int bytes)
    {
        if (bytes > Ram.PageSize || (destination > source && destination < source + (ulong)bytes))
            return false;
        Span<byte> buffer = stackalloc byte[bytes];
        return SafeMemory.Read(source, buffer) == bytes && SafeMemory.Write(destination, buffer) == bytes;
    }

    private static bool TryUserFill(ulong destination, ulong value, int element, int bytes)
    {
        if (bytes > Ram.PageSize)
            return false;
        Span<byte> buffer = stackalloc byte[(bytes + 7) & ~7];
        ulong word = element switch { 1 => (byte)value * 0x0101_0101_0101_0101ul, 2 => (ushort)value * 0x0001_0001_0001_0001ul, 4 => (uint)value * 0x1_0000_0001ul, _ => value };
        MemoryMarshal.Cast<byte, ulong>(buffer).Fill(word);
        return SafeMemory.Write(destination, buffer[..bytes]) == bytes;
    }

    /// <summary>Bytes of the image of floating-point and vector state in signal frames: XSAVE's standard format.</summary>
    public const int UserImageSize = XsaveSize;

    /// <summary>Writes the image (Intel SDM volume 1, section 13.4); XCR0's components are all there.</summary>
    /// <param name="image">At least <see cref="UserImageSize"/> bytes, zeroed.</param>
    public void SaveUserState(Span<byte> image)
    {
        PackX87(image, wide: true);
        PackMxcsr(image);
        PackXmm(image);
        BinaryPrimitives.WriteUInt64LittleEndian(image[LegacySize..], _xcr0);
        if ((_xcr0 & XstateAvx) != 0)
            MemoryMarshal.AsBytes(((Span<Vector128<byte>>)State.Vector)[16..]).CopyTo(image[AvxOffset..]);
    }

    /// <summary>The reverse of <see cref="SaveUserState"/>.</summary>
    public void LoadUserState(ReadOnlySpan<byte> image, bool extended)
    {
        ulong components = extended ? BinaryPrimitives.ReadUInt64LittleEndian(image[LegacySize..]) : XstateX87 | XstateSse;
        if ((components & XstateX87) != 0)
            UnpackX87(image, wide: true);
        _ = SetMxcsr(BinaryPrimitives.ReadUInt32LittleEndian(image[MxcsrOffset..]) & Mxcsr.Defined);
        if ((components & XstateSse) != 0)
            UnpackXmm(image);
        if ((components & XstateAvx) != 0)
            image.Slice(AvxOffset, AvxSize).CopyTo(MemoryMarshal.AsBytes(((Span<Vector128<byte>>)State.Vector)[16..]));
        UpdateFlags();
    }

    /// <summary>RFLAGS with what a user program may change.</summary>
    public ulong UserFlags
    {
        get => RFlags;
        set
        {
            const ulong Own = RFlag.Arithmetic | RFlag.TF | RFlag.DF | RFlag.AC | RFlag.ID | RFlag.NT | RFlag.RF;
            RFlags = RFlags & ~Own | value & Own | RFlag.Reserved1 | RFlag.IF;
            UpdateFlags();
        }
    }

    /// <summary>Takes over all registers of another CPU.</summary>
    public void CopyUserState(X86Cpu other)
    {
        State = other.State;
        Block.Context.Pc = other.Block.Context.Pc;
        Block.Context.Mxcsr = other.Block.Context.Mxcsr;
        _xcr0 = other._xcr0;
        other._tls.CopyTo(_tls, 0);
        UserLdt = other.UserLdt;
        UpdateFlags();
    }
}
