using Myna.Host.User;
using Myna.Jit.Engine;
using Myna.Jit.Memory;

namespace Myna.Jit.X64;

/// <summary>Addresses of the C# methods that generated code calls; each takes the CPU's block and answers 0 to go on or how to leave.</summary>
internal readonly unsafe struct Callbacks
{
    public required delegate* unmanaged<nint, int> Load { get; init; }
    public required delegate* unmanaged<nint, int> Store { get; init; }
    public required delegate* unmanaged<nint, int> LoadVector { get; init; }
    public required delegate* unmanaged<nint, int> StoreVector { get; init; }
    public required delegate* unmanaged<nint, int> ComputeFlags { get; init; }
    public required delegate* unmanaged<nint, int> Interpret { get; init; }
    public required delegate* unmanaged<nint, int> Fault { get; init; }
}

/// <summary>How generated code was left.</summary>
internal enum ExitKind
{
    /// <summary>Exit: address of the link data.</summary>
    Link = 1,
    /// <summary>Pc: where to go.</summary>
    Indirect = 2,
    /// <summary>Pc: the block that saw the request; it has not started.</summary>
    Request = 3,
    /// <summary>A callback changed the course of things; pc and flags are new.</summary>
    Changed = 4,
    /// <summary>The interpreter must execute the instruction at pc.</summary>
    Fallback = 5,
}

/// <summary>The code at the start of the code cache that all blocks share: entry, exits, calls of C#.</summary>
internal sealed unsafe partial class Thunks
{
    public byte* Link, Indirect, IndirectMiss, Request, Fallback, Load, LoadFloat, LoadVector, Store, StoreVector, ComputeFlags, Interpret, Fault;
    public delegate* unmanaged<nint, nint, int> Enter;
    /// <summary>Displacement of the jump cache from the base register.</summary>
    public readonly int JumpCache;

    private readonly Assembler _a;
    private readonly JitOptions _options;
    private const int Xmm = 16;
    // Where temporaries are saved around calls: displacements in JitContext.
    private const int SaveGpr = 256, SaveXmm = SaveGpr + (16 * 8);

    public Thunks(Assembler a, JitOptions options, int mmuModes, in Callbacks callbacks)
    {
        _a = a;
        _options = options;
        JumpCache = CpuBlock.TlbOffset + (mmuModes * SoftTlb.BytesPerMode) - CpuBlock.Bias;

        Enter = (delegate* unmanaged<nint, nint, int>)Here();
        foreach (int r in (int[])[Reg.Rbx, Reg.Rbp, Reg.R12, Reg.R13, Reg.R14, Reg.R15])
            a.Push(r);
        a.AluImm(Assembler.Sub, Reg.Rsp, Compiler.FrameSize + 8);
        a.Mov(Reg.Rbp, Reg.Rdi);
        LeaveManaged();
        a.Ldmxcsr(Context(24));
        Pins(load: true);
        a.JmpReg(Reg.Rsi);

        byte* leave = Here();
        // eax: ExitKind.
        Pins(load: false);
        a.Stmxcsr(Context(24));
        a.Ldmxcsr(Context(88));
        byte* leaveAsIs = Here();
        ReturnToManaged();
        a.AluImm(Assembler.Add, Reg.Rsp, Compiler.FrameSize + 8);
        foreach (int r in (int[])[Reg.R15, Reg.R14, Reg.R13, Reg.R12, Reg.Rbp, Reg.Rbx])
            a.Pop(r);
        a.Ret();

        Link = Here();
        a.Pop(Reg.Rax);
        a.Store(Context(72), Reg.Rax);
        a.MovImm(Reg.Rax, (ulong)ExitKind.Link);
        a.JmpTo(leave);

        IndirectMiss = Here();
        a.Store(Context(8), Reg.Rax);
        Indirect = Here();
        a.MovImm(Reg.Rax, (ulong)ExitKind.Indirect);
        a.JmpTo(leave);

        Request = Here();
        a.MovImm(Reg.Rax, (ulong)ExitKind.Request);
        a.JmpTo(leave);

        Fallback = Here();
        a.MovImm(Reg.Rax, (ulong)ExitKind.Fallback);
        a.JmpTo(leave);

        Load = Call(callbacks.Load, 7 + 5, true, leaveAsIs);
        LoadFloat = Call(callbacks.Load, 8 + 5, true, leaveAsIs);
        LoadVector = Call(callbacks.LoadVector, 8 + 5, true, leaveAsIs);
        Store = Call(callbacks.Store, 5, true, leaveAsIs);
        StoreVector = Call(callbacks.StoreVector, 5, true, leaveAsIs);
        ComputeFlags = Call(callbacks.ComputeFlags, 7 + 5, true, leaveAsIs);
        if (options.LazyFlags is { } flags)
            ComputeFlags = FlagRoutine(flags, ComputeFlags);
        Interpret = Call(callbacks.Interpret, 5, false, leaveAsIs);
        Fault = FaultThunk(callbacks.Fault);
    }

    /// <summary>Where a fault in a block goes on: C# says where the block's own code for that access is.</summary>
    private byte* FaultThunk(delegate* unmanaged<nint, int> target)
    {
        byte* start = Here();
        Assembler a = _a;
        Temps(load: false);
        Pins(load: false);
        a.Stmxcsr(Context(24));
        a.Ldmxcsr(Context(88));
        ReturnToManaged();
        a.Lea(Reg.Rdi, new Mem(Reg.Rbp, -CpuBlock.Bias));
        a.MovImm(Reg.Rax, (ulong)target);
        a.CallReg(Reg.Rax);
        LeaveManaged();
        a.Ldmxcsr(Context(24));
        Pins(load: true);
        Temps(load: true);
        a.JmpMem(Context(64));
        return start;
    }

    // The process may be forked from here on. Only rcx is changed.
    private void LeaveManaged()
    {
        if (_options.Direct is null)
            return;
        _a.Load(Reg.Rcx, Context(120));
        _a.Store32Imm(new Mem(Reg.Rcx, 0), 1);
    }

    // Waits while another thread forks (futex(2)), still outside of C#. Keeps rax, in r12, which is free here.
    private void ReturnToManaged()
    {
        if (_options.Direct is null)
            return;
        Assembler a = _a;
        const int Futex = 202;
        a.Mov(Reg.R12, Reg.Rax);
        byte* again = a.P;
        a.Load(Reg.Rcx, Context(120));
        a.Alu(Assembler.Xor, Reg.Rdx, Reg.Rdx, w: false);
        a.RM(0x87, Reg.Rdx, new Mem(Reg.Rcx, 0), w: false);
        a.MovImm(Reg.Rdi, (ulong)ForkGate.Address);
        a.AluImm(Assembler.Cmp, new Mem(Reg.Rdi, 0), 0, w: false);
        a.Jcc(CC.E);
        byte* open = a.P;
        a.Store32Imm(new Mem(Reg.Rcx, 0), 1);
        a.Alu(Assembler.Xor, Reg.Rsi, Reg.Rsi, w: false);
        a.MovImm(Reg.Rdx, 1);
        a.Alu(Assembler.Xor, Reg.R10, Reg.R10, w: false);
        a.MovImm(Reg.Rax, Futex);
        // SYSCALL.
        a.Byte(0x0F);
        a.Byte(0x05);
        a.JmpTo(again);
        // SAFETY: patches the displacement just written.
        *(int*)(open - 4) = (int)(a.P - open);
        a.Mov(Reg.Rax, Reg.R12);
    }

    private static Mem Context(int offset) => new(Reg.Rbp, offset - CpuBlock.Bias);

    private byte* Here()
    {
        _a.Align(16);
        return _a.P;
    }

    private void Pins(bool load)
    {
        for (int i = 0; i < _options.PinnedSlots.Length; i++)
        {
            Mem m = new(Reg.Rbp, _options.PinnedSlots[i] - 128);
            if (load)
                _a.Load(Compiler.PinHosts[i], m);
            else
                _a.Store(m, Compiler.PinHosts[i]);
        }
        for (int i = 0; i < _options.PinnedFloatSlots.Length; i++)
            _a.VexRM(1, 3, load ? 0x10 : 0x11, 8 + i, 0, new Mem(Reg.Rbp, _options.PinnedFloatSlots[i] - 128));
        for (int i = 0; i < _options.PinnedVectorSlots.Length; i++)
            _a.VexRM(1, 0, load ? 0x10 : 0x11, 8 + i, 0, new Mem(Reg.Rbp, _options.PinnedVectorSlots[i] - 128));
    }

    private void Temps(bool load)
    {
        for (int r = 0; r < 16; r++)
        {
            bool callerSaved = r is Reg.Rax or Reg.Rcx or Reg.Rdx or Reg.Rsi or Reg.Rdi or (>= Reg.R8 and <= Reg.R11);
            if (!callerSaved || Array.IndexOf(Compiler.PinHosts, r, 0, _options.PinnedSlots.Length) >= 0)
                continue;
            if (load)
                _a.Load(r, Context(SaveGpr + (r * 8)));
            else
                _a.Store(Context(SaveGpr + (r * 8)), r);
        }
        for (int x = 0; x < 16; x++)
        {
            if (x >= 8 && x - 8 < _options.PinnedFloatSlots.Length + _options.PinnedVectorSlots.Length)
                continue;
            if (_options.VectorSlots == int.MaxValue)
                _a.VexRM(1, 3, load ? 0x10 : 0x11, x, 0, Context(SaveXmm + (x * 8)));
            else
                _a.VexRM(1, 0, load ? 0x10 : 0x11, x, 0, Context(SaveXmm + (x * 16)));
        }
    }

    /// <summary>
    /// A thunk that calls C# in the midst of a block. Behind the call instruction, <paramref name="skip"/> bytes on, lie
    /// pc, progress, details.
    /// </summary>
    private byte* Call(delegate* unmanaged<nint, int> target, int skip, bool keepTemps, byte* leave)
    {
        byte* start = Here();
        Assembler a = _a;
        if (keepTemps)
            Temps(load: false);
        Pins(load: false);
        a.Load(Reg.Rax, new Mem(Reg.Rsp, 0));
        a.Load(Reg.Rcx, new Mem(Reg.Rax, skip));
        a.Store(Context(8), Reg.Rcx);
        a.Load(Reg.Rcx, new Mem(Reg.Rax, skip + 8));
        a.Store(Context(104), Reg.Rcx);
        a.Stmxcsr(Context(24));
        a.Ldmxcsr(Context(88));
        a.Lea(Reg.Rdi, new Mem(Reg.Rbp, -CpuBlock.Bias));
        a.AluImm(Assembler.Sub, Reg.Rsp, 8);
        ReturnToManaged();
        a.Lea(Reg.Rdi, new Mem(Reg.Rbp, -CpuBlock.Bias));
        a.MovImm(Reg.Rax, (ulong)target);
        a.CallReg(Reg.Rax);
        LeaveManaged();
        a.AluImm(Assembler.Add, Reg.Rsp, 8);
        a.Test(Reg.Rax, Reg.Rax, w: false);
        a.Jcc(CC.NE);
        byte* gone = a.P;
        a.Ldmxcsr(Context(24));
        Pins(load: true);
        if (keepTemps)
            Temps(load: true);
        a.Ret();
        // SAFETY: patches the displacement just written.
        *(int*)(gone - 4) = (int)(a.P - gone);
        a.AluImm(Assembler.Add, Reg.Rsp, 8);
        a.JmpTo(leave);
        return start;
    }
}
