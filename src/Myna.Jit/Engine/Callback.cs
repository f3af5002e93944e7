using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Myna.Jit.Memory;
using Myna.Jit.Operations;
using Myna.Jit.X64;

namespace Myna.Jit.Engine;

/// <summary>
/// What generated code calls. Each gets the address of the CPU's block and answers 0 to go on in the block, or how to leave
/// it (<see cref="ExitKind"/>). No exception may pass: it waits in the CPU until generated code has been left.
/// </summary>
internal static unsafe class Callback
{
    private static GuestCpu Cpu(JitContext* context) => Unsafe.As<GuestCpu>(GCHandle.FromIntPtr(context->Cpu).Target!);

    [UnmanagedCallersOnly]
    public static int Load(nint block)
    {
        // SAFETY (all callbacks): the thunk passes the block of the CPU that runs on this thread.
        JitContext* context = (JitContext*)block;
        GuestCpu cpu = Cpu(context);
        try
        {
            MemSize size = (MemSize)(context->Details & 0xFF);
            cpu.Engine!.Counters.SlowLoads++;
            if ((context->Details & 0x200) != 0 && !cpu.FillStore(context->Arg0, 1 << (int)size, (context->Details >> 16) & 0xFF))
                return Leave(context);
            if (!cpu.SlowLoad(context->Arg0, size, (context->Details >> 16) & 0xFF, out ulong value))
                return Leave(context);
            if ((context->Details & 0x100) != 0)
            {
                value = size switch
                {
                    MemSize.B1 => (ulong)(sbyte)value,
                    MemSize.B2 => (ulong)(short)value,
                    MemSize.B4 => (ulong)(int)value,
                    _ => value,
                };
            }
            context->Result = value;
            return 0;
        }
        catch (Exception e)
        {
            cpu.Failure = e;
            return Leave(context);
        }
    }

    [UnmanagedCallersOnly]
    public static int Store(nint block)
    {
        JitContext* context = (JitContext*)block;
        GuestCpu cpu = Cpu(context);
        try
        {
            cpu.Engine!.Counters.SlowStores++;
            MemSize size = (MemSize)(context->Details & 0xFF);
            int mode = (context->Details >> 16) & 0xFF;
            ulong va = context->Arg0, value = context->Arg1;
            if (cpu.Engine.Options.StrictCode && !MayStore(cpu, context, va, 1 << (int)size, mode, out int answer))
                return answer;
            // The page may be cached but watched: the store then is as good as any.
            return cpu.Block.Tlb.TryWrite(mode, va, size, value) || cpu.SlowStore(va, size, mode, value) ? 0 : Leave(context);
        }
        catch (Exception e)
        {
            cpu.Failure = e;
            return Leave(context);
        }
    }

    [UnmanagedCallersOnly]
    public static int LoadVector(nint block)
    {
        JitContext* context = (JitContext*)block;
        GuestCpu cpu = Cpu(context);
        try
        {
            cpu.Engine!.Counters.SlowLoads++;
            return cpu.SlowLoadVector(context->Arg0, (context->Details >> 16) & 0xFF, (context->Details & 0x400) != 0, out context->Vector0, out context->Vector1) ? 0 : Leave(context);
        }
        catch (Exception e)
        {
            cpu.Failure = e;
            return Leave(context);
        }
    }

    [UnmanagedCallersOnly]
    public static int StoreVector(nint block)
    {
        JitContext* context = (JitContext*)block;
        GuestCpu cpu = Cpu(context);
        try
        {
            cpu.Engine!.Counters.SlowStores++;
            int mode = (context->Details >> 16) & 0xFF;
            if (cpu.Engine.Options.StrictCode && !MayStore(cpu, context, context->Arg0, 16, mode, out int answer))
                return answer;
            UInt128 value = new(context->Vector1, context->Vector0);
            return cpu.Block.Tlb.TryWrite(mode, context->Arg0, value) || cpu.SlowStoreVector(context->Arg0, mode, context->Vector0, context->Vector1)
                ? 0
                : Leave(context);
        }
        catch (Exception e)
        {
            cpu.Failure = e;
            return Leave(context);
        }
    }

    [UnmanagedCallersOnly]
    public static int ComputeFlags(nint block)
    {
        JitContext* context = (JitContext*)block;
        GuestCpu cpu = Cpu(context);
        try
        {
            cpu.Engine!.Counters.FlagComputations++;
            context->Result = cpu.ComputeFlags();
            return 0;
        }
        catch (Exception e)
        {
            cpu.Failure = e;
            return Leave(context);
        }
    }

    [UnmanagedCallersOnly]
    public static int Interpret(nint block)
    {
        JitContext* context = (JitContext*)block;
        GuestCpu cpu = Cpu(context);
        try
        {
            cpu.Engine!.Counters.Interpreted++;
            long invalidated = cpu.Engine.Counters.BlocksInvalidated;
            if (!cpu.Engine.Options.CountInstructions)
            {
                // The block itself may be gone: its next instruction then is another.
                return cpu.InterpretOne() && (cpu.Engine.Counters.BlocksInvalidated == invalidated || !cpu.Engine.Options.StrictCode)
                    ? 0
                    : (int)ExitKind.Changed;
            }
            // The instruction may read the count; the block adds its own share at its end.
            context->InstructionCount += (ulong)context->Progress;
            if (!cpu.InterpretOne() || (cpu.Engine.Counters.BlocksInvalidated != invalidated && cpu.Engine.Options.StrictCode))
                return (int)ExitKind.Changed;
            context->InstructionCount -= (ulong)context->Progress;
            return 0;
        }
        catch (Exception e)
        {
            cpu.Failure = e;
            return Leave(context);
        }
    }

    /// <summary>An access of a user program's memory faulted: the result is where the block goes on.</summary>
    [UnmanagedCallersOnly]
    public static int Fault(nint block)
    {
        JitContext* context = (JitContext*)block;
        GuestCpu cpu = Cpu(context);
        nint target = cpu.Engine!.FindFault(context->FaultRip);
        if (target == 0)
            Environment.FailFast("generated code faulted at an unknown place");
        context->Result = (ulong)target;
        return 0;
    }

    // Guests whose stores change the very next instruction: one that hits translated code is left to the interpreter as a
    // whole, nothing of it having happened; the block may be gone afterwards.
    private static bool MayStore(GuestCpu cpu, JitContext* context, ulong va, int bytes, int mode, out int answer)
    {
        answer = 0;
        SoftTlb tlb = cpu.Block.Tlb;
        bool known = tlb.TryFindWritten(mode, va, bytes, out nint address);
        if (!known)
        {
            if (!cpu.FillStore(va, bytes, mode))
            {
                answer = Leave(context);
                return false;
            }
            known = tlb.TryFindWritten(mode, va, bytes, out address);
        }
        // What straddles pages goes there too; what is still not known is no RAM.
        bool hit = known ? cpu.Engine!.HasCode(address, bytes) : (va & SoftTlb.PageMask) + (ulong)bytes > SoftTlb.PageMask + 1;
        if (hit)
            answer = Leave(context, ExitKind.Fallback);
        return !hit;
    }

    private static int Leave(JitContext* context, ExitKind how = ExitKind.Changed)
    {
        // Zero when the block does not count.
        context->InstructionCount += (ulong)context->Progress;
        return (int)how;
    }
}
