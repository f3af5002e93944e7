using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Myna.Host;
using Myna.Host.User;
using Myna.Jit.Ir;
using Myna.Jit.Memory;
using Myna.Jit.Operations;
using Myna.Jit.X64;

namespace Myna.Jit.Engine;

/// <summary>Why <see cref="JitEngine.Run"/> came back.</summary>
public enum RunOutcome
{
    /// <summary>The CPU's bits of <see cref="JitContext.ExitRequest"/> are not zero.</summary>
    Requested,
    /// <summary>The instruction count was reached.</summary>
    Limit,
    /// <summary>pc is at a breakpoint.</summary>
    Breakpoint,
}

/// <summary>The translator of a machine: one code cache for all its virtual CPUs.</summary>
public sealed unsafe class JitEngine : ICodeListener, IDisposable
{
    /// <summary>Room that must be left for one block.</summary>
    private const int BlockRoom = 512 << 10;
    // A piece is a unit's to translate into: much larger than a block's room, which may be left unused at its end, and small
    // enough that the units' pieces are a part of the cache alone.
    private const int SmallestPiece = 1 << 20, LargestPiece = 8 << 20, PiecesPerUnit = 8, MaxUnits = 16;

    // Other CPUs may write to a page faster than a block of it is translated: then they have to wait.
    private const int ConcurrentTries = 3;

    private readonly JitOptions _options;
    private readonly CodePages _pages;
    private readonly ExecutableMemory _memory;
    private readonly byte* _cache;
    private readonly Thunks _thunks;
    private readonly BlockTable _table = new();
    private readonly byte* _firstBlock;
    private byte* _next;
    private GuestCpu[] _cpus = [];
    // As many as can be at work at the same time, made when first needed; a CPU takes one for the time of a translation.
    private readonly int _maxUnits = Math.Min(2 * Environment.ProcessorCount, MaxUnits);
    private TranslationUnit[] _units = [];
    private readonly Stack<TranslationUnit> _idleUnits = new();
    private SemaphoreSlim _free;

    private readonly Lock _flushGate = new();
    private volatile bool _flushing;
    private volatile int _generation;

    /// <summary>Whether the host can run generated code: x86-64 with the AVX2 generation's instructions (x86-64-v3).</summary>
    public static bool IsSupported => RuntimeInformation.ProcessArchitecture == Architecture.X64 && !OperatingSystem.IsWindows()
        && Avx2.IsSupported && Bmi2.X64.IsSupported && Fma.IsSupported && Lzcnt.X64.IsSupported && Popcnt.X64.IsSupported && Pclmulqdq.IsSupported;

    /// <param name="pages">The machine's record of pages with code.</param>
    /// <param name="mmuModes">As given to every CPU's <see cref="CpuBlock"/>.</param>
    /// <exception cref="IOException">The host gives no executable memory.</exception>
    public JitEngine(JitOptions options, CodePages pages, int mmuModes)
    {
        _options = options;
        _pages = pages;
        _memory = new ExecutableMemory(options.CacheSize);
        _cache = (byte*)_memory.Address;
        Assembler a = new();
        a.Reset(_cache, _cache + 65536);
        // SAFETY: the methods are static and stay where they are; each takes the CPU block's address.
        _thunks = new Thunks(a, options, mmuModes, new Callbacks
        {
            Load = (delegate* unmanaged<nint, int>)&Callback.Load,
            Store = (delegate* unmanaged<nint, int>)&Callback.Store,
            LoadVector = (delegate* unmanaged<nint, int>)&Callback.LoadVector,
            StoreVector = (delegate* unmanaged<nint, int>)&Callback.StoreVector,
            ComputeFlags = (delegate* unmanaged<nint, int>)&Callback.ComputeFlags,
            Interpret = (delegate* unmanaged<nint, int>)&Callback.Interpret,
            Fault = (delegate* unmanaged<nint, int>)&Callback.Fault,
        });
        a.Align(64);
        _next = _firstBlock = a.P;
        _free = new SemaphoreSlim(_maxUnits);
        pages.Add(this);
        if (options.Direct is { } direct)
        {
            direct.Attach(this);
            HostSignals.SetCodeCache((nint)_firstBlock, (nint)_cache + _memory.Size, (nint)_thunks.Fault, (int)Marshal.OffsetOf<JitContext>(nameof(JitContext.FaultRip)) - CpuBlock.Bias);
        }
    }

    public JitCounters Counters { get; } = new();
    public JitOptions Options => _options;

    /// <summary>Makes a CPU known; before its first <see cref="Run"/>.</summary>
    public void Add(GuestCpu cpu)
    {
        cpu.Handle = (nint)GCHandle.Alloc(cpu);
        cpu.Block.Context.Cpu = cpu.Handle;
        cpu.Engine = this;
        lock (_pages.Sync)
            _cpus = [.. _cpus, cpu];
    }

    /// <summary>Runs translated code on the calling thread, which is the CPU's.</summary>
    /// <param name="limit">Value of <see cref="JitContext.InstructionCount"/> to stop at, exactly; needs <see cref="JitOptions.CountInstructions"/>.</param>
    public RunOutcome Run(GuestCpu cpu, ulong limit = ulong.MaxValue)
    {
        ref JitContext context = ref cpu.Block.Context;
        nint @base = context.Base;
        while (true)
        {
            int request = Volatile.Read(ref context.ExitRequest);
            if (request != 0)
            {
                if ((request & JitContext.EngineRequest) != 0)
                    Interlocked.And(ref context.ExitRequest, ~JitContext.EngineRequest);
                if ((request & ~JitContext.EngineRequest) != 0)
                    return RunOutcome.Requested;
            }
            if (context.InstructionCount >= limit)
                return RunOutcome.Limit;
            if (cpu.HasBreakpoints && cpu.IsBreakpoint(context.Pc))
                return RunOutcome.Breakpoint;
            int generation = _generation;
            if (cpu.Generation != generation)
            {
                cpu.Block.FlushJumps();
                cpu.Generation = generation;
            }
            int block = FindOrTranslate(cpu, ref context, out byte* code);
            if (code == null)
                continue;
            if (_options.CountInstructions && limit - context.InstructionCount < (ulong)_table.Blocks[block].Length)
            {
                cpu.InterpretOne();
                continue;
            }
            Enter(cpu, ref context, @base, code, generation);
        }
    }

    private void Enter(GuestCpu cpu, ref JitContext context, nint @base, byte* code, int generation)
    {
        if (!EnterCache(cpu, generation))
            return;
        // SAFETY: code is a live block's entry; it keeps to the CPU block and to pages in the soft-TLB.
        ExitKind kind = (ExitKind)_thunks.Enter(@base, (nint)code);
        cpu.InCode = false;
        switch (kind)
        {
            case ExitKind.Link:
                Counters.LinkExits++;
                FollowLink(cpu, ref context, (byte*)context.Exit);
                break;
            case ExitKind.Indirect: Counters.IndirectExits++; break;
            case ExitKind.Request: Counters.RequestExits++; break;
            case ExitKind.Changed:
                Counters.ChangedExits++;
                if (cpu.Failure is { } failure)
                {
                    cpu.Failure = null;
                    System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
                }
                break;
            case ExitKind.Fallback:
                Counters.FallbackExits++;
                cpu.InterpretOne();
                break;
        }
    }

    /// <summary>The block at pc; a null code pointer when pc has changed instead (fault, interpreted instruction).</summary>
    private int FindOrTranslate(GuestCpu cpu, ref JitContext context, out byte* code)
    {
        Counters.Lookups++;
        code = null;
        ulong pc = context.Pc;
        uint flags = cpu.BlockFlags & 0xFFFF;
        context.JumpTag = (context.JumpTag & 0xFFFF_0000) | flags;
        CodePage page;
        if (_options.Direct is not null)
        {
            page = new CodePage((nint)(pc & ~SoftTlb.PageMask));
        }
        else if (!cpu.Block.Tlb.TryFetchPage(cpu.FetchMode, pc, out page))
        {
            switch (cpu.FillFetch(pc))
            {
                case FetchOutcome.Fault: return -1;
                case FetchOutcome.Interpret:
                    cpu.InterpretOne();
                    return -1;
            }
            if (!cpu.Block.Tlb.TryFetchPage(cpu.FetchMode, pc, out page))
            {
                cpu.InterpretOne();
                return -1;
            }
        }
        int block = _table.Find(pc, page.Address, flags);
        if (block < 0)
        {
            block = Translate(cpu, pc, page, flags, out bool interpret);
            if (interpret)
                cpu.InterpretOne();
            if (block < 0)
                return -1;
        }
        code = _cache + _table.Blocks[block].Entry;
        cpu.Block.RememberJump(pc, context.JumpTag, (nint)code);
        return block;
    }

    /// <summary>See <see cref="GuestCpu.TryReadSecond"/>.</summary>
    internal bool TryReadSecond(GuestCpu cpu, ulong va, Span<byte> bytes, out CodePage page)
    {
        page = new CodePage((nint)(va & ~SoftTlb.PageMask));
        if (_options.Direct is null && !cpu.Block.Tlb.TryFetchPage(cpu.FetchMode, va, out page))
            return false;
        using (EnterSpace())
        {
            lock (_pages.Sync)
            {
                cpu.Unit!.Add(page.Address);
                if (_options.Direct is { } direct)
                    return direct.TryReadCode((ulong)page.Address, bytes);
                _pages.Watch(page);
                page.Bytes[..bytes.Length].CopyTo(bytes);
                return true;
            }
        }
    }

    // CPUs translate side by side; what they share is looked at before and after.
    private int Translate(GuestCpu cpu, ulong pc, CodePage page, uint flags, out bool interpret)
    {
        TranslationUnit unit = TakeUnit();
        cpu.Unit = unit;
        try
        {
            for (int tries = 1; ; tries++)
            {
                if (TryTranslate(cpu, pc, page, flags, tries <= ConcurrentTries, out interpret) is { } block)
                    return block;
            }
        }
        finally
        {
            cpu.Unit = null;
            lock (_pages.Sync)
                _idleUnits.Push(unit);
            _free.Release();
        }
    }

    private TranslationUnit TakeUnit()
    {
        _free.Wait();
        lock (_pages.Sync)
        {
            if (!_idleUnits.TryPop(out TranslationUnit? unit))
            {
                unit = new TranslationUnit(_options, _thunks);
                _units = [.. _units, unit];
            }
            return unit;
        }
    }

    // Null: the page was written in the meantime.
    private int? TryTranslate(GuestCpu cpu, ulong pc, CodePage page, uint flags, bool concurrently, out bool interpret)
    {
        TranslationUnit unit = cpu.Unit!;
        interpret = false;
        int generation = _generation;
        if (unit.Limit - unit.Next < BlockRoom && !TakePiece(unit))
        {
            FlushCache(cpu);
            return -1;
        }
        // A flush waits for translations as it does for running code.
        if (!EnterCache(cpu, generation))
            return -1;
        try
        {
            if (concurrently)
                return TranslateOnce(cpu, unit, pc, page, flags, out interpret);
            using Lock.Scope space = EnterSpace();
            lock (_pages.Sync)
                return TranslateOnce(cpu, unit, pc, page, flags, out interpret);
        }
        finally
        {
            cpu.InCode = false;
        }
    }

    private int? TranslateOnce(GuestCpu cpu, TranslationUnit unit, ulong pc, CodePage page, uint flags, out bool interpret)
    {
        interpret = false;
        int block;
        ReadOnlySpan<byte> bytes;
        using (EnterSpace())
        {
            lock (_pages.Sync)
            {
                block = _table.Find(pc, page.Address, flags);
                if (block >= 0)
                    return block;
                block = _table.Reserve();
                unit.Begin(page.Address);
                if (_options.Direct is { } direct)
                {
                    // The interpreter raises the fault.
                    interpret = !direct.TryReadCode((ulong)page.Address, unit.PageBytes);
                    if (interpret)
                    {
                        unit.End();
                        _table.Release(block);
                        return -1;
                    }
                    bytes = unit.PageBytes;
                }
                else
                {
                    _pages.Watch(page);
                    bytes = page.Bytes;
                }
            }
        }
        IrBuilder ir = unit.Ir;
        ir.Begin();
        cpu.Translate(ir, pc, flags, bytes, _options.MaxBlockLength);
        Compiler.Result result = ir.Length == 0 ? default : unit.Compiler.Compile(unit.Next, unit.Limit, pc, block, _cache);
        lock (_pages.Sync)
        {
            bool stale = unit.Stale;
            unit.End();
            // Two CPUs may have come to the same code.
            int other = stale || ir.Length == 0 ? -1 : _table.Find(pc, page.Address, flags);
            if (stale || ir.Length == 0 || other >= 0)
            {
                _table.Release(block);
                interpret = !stale && ir.Length == 0;
                return stale ? null : other;
            }
            unit.Compiler.CopyFaults(unit.Faults, (int)(unit.Next - _cache));
            _table.Add(block, new Block
            {
                Pc = pc,
                Page = page.Address,
                Flags = flags,
                Chunks = ir.Chunks,
                Entry = (int)(unit.Next - _cache),
                RequestExit = (int)(unit.Next - _cache) + result.RequestExit,
                Length = ir.Length,
            }, ir.SecondPage);
            Counters.BlocksTranslated++;
            Counters.InstructionsTranslated += ir.Length;
            Counters.BytesEmitted += result.Length;
            unit.Next += (result.Length + 15) & ~15;
            return block;
        }
    }

    // Of a user program the address space is held still; always before the lock of pages.
    private Lock.Scope EnterSpace() => _options.Direct is { } direct ? direct.Space.Sync.EnterScope() : default;

    // False when the code cache is full.
    private bool TakePiece(TranslationUnit unit)
    {
        lock (_pages.Sync)
        {
            long room = _cache + _memory.Size - _next;
            if (room < BlockRoom)
                return false;
            long piece = Math.Min(room, Math.Clamp(_memory.Size / (PiecesPerUnit * _maxUnits), SmallestPiece, LargestPiece));
            unit.Next = _next;
            unit.Limit = _next += piece;
            return true;
        }
    }

    // From here until InCode is false again the code cache is not flushed. False when it was, or is just being flushed.
    private bool EnterCache(GuestCpu cpu, int generation)
    {
        cpu.InCode = true;
        Interlocked.MemoryBarrier();
        if (!_flushing && _generation == generation)
            return true;
        cpu.InCode = false;
        lock (_flushGate) { }
        return false;
    }

    // Link data behind the call: site, block, target pc.
    private void FollowLink(GuestCpu cpu, ref JitContext context, byte* data)
    {
        int site = *(int*)data;
        int source = *(int*)(data + 4);
        ulong pc = *(ulong*)(data + 8);
        context.Pc = pc;
        // Never linked to: the run ends here each time.
        if (cpu.HasBreakpoints && cpu.IsBreakpoint(pc))
            return;
        int generation = _generation;
        int target = FindOrTranslate(cpu, ref context, out byte* code);
        if (code == null)
            return;
        lock (_pages.Sync)
        {
            if (_generation != generation)
                return;
            ref Block from = ref _table.Blocks[source];
            ref Block to = ref _table.Blocks[target];
            byte* at = _cache + site;
            byte* stub = data - 5;
            if (!from.Valid || !to.Valid || (from.Page != to.Page && _options.Direct is null) || from.Flags != to.Flags || at + 4 + *(int*)at != stub)
                return;
            // SAFETY: the displacement lies within one cache line, so that other CPUs see the old or the new jump.
            Volatile.Write(ref *(int*)at, (int)(code - (at + 4)));
            _table.AddLink(target, site, (int)(stub - _cache));
            Counters.LinksPatched++;
        }
    }

    /// <summary>Where a block goes on after a fault, 0 when that is not known.</summary>
    internal nint FindFault(nint rip)
    {
        lock (_pages.Sync)
        {
            int at = (int)(rip - (nint)_cache), to = -1, nearest = -1;
            foreach (TranslationUnit unit in _units)
                unit.Faults.Find(at, ref nearest, ref to);
            return to < 0 ? 0 : (nint)_cache + to;
        }
    }

    /// <summary>
    /// Forks the process by <paramref name="fork"/> at a moment when the engine's structures are consistent. In the child,
    /// where the result is 0, only the CPU of <paramref name="block"/> is left.
    /// </summary>
    public long Fork(CpuBlock block, Func<long> fork)
    {
        lock (_flushGate)
        {
            lock (_options.Direct!.Space.Sync)
            {
                lock (_pages.Sync)
                {
                    long result = fork();
                    if (result == 0)
                        Forked(_cpus.First(c => c.Block == block));
                    return result;
                }
            }
        }
    }

    /// <summary>Makes a CPU unknown again. On its thread or when it has none.</summary>
    public void Remove(GuestCpu cpu)
    {
        lock (_flushGate)
        {
            lock (_pages.Sync)
                _cpus = [.. _cpus.Where(c => c != cpu)];
        }
        if (cpu.Handle != 0)
            GCHandle.FromIntPtr(cpu.Handle).Free();
        cpu.Handle = 0;
    }

    /// <summary>
    /// In the child after a fork, in which the calling thread and its CPU are alone: what other CPUs were translating with is
    /// free. The locks must have been held across the fork.
    /// </summary>
    public void Forked(GuestCpu self)
    {
        _cpus = [self];
        _idleUnits.Clear();
        foreach (TranslationUnit unit in _units)
        {
            unit.End();
            _idleUnits.Push(unit);
        }
        // Threads that are not here may count as waiting for the old one.
        _free = new SemaphoreSlim(_maxUnits);
    }

    /// <summary>Makes a block that was taken out of the table unreachable.</summary>
    internal void Kill(int index)
    {
        ref Block b = ref _table.Blocks[index];
        Counters.BlocksInvalidated++;
        for (int i = b.FirstLink; i >= 0; i = _table.Links[i].Next)
        {
            ref Link link = ref _table.Links[i];
            byte* at = _cache + link.Site;
            Volatile.Write(ref *(int*)at, (int)(_cache + link.Stub - (at + 4)));
        }
        // Jump caches of all CPUs may still name the entry: it becomes a jump to the exit for requests, in one 8-byte write.
        byte* entry = _cache + b.Entry;
        ulong bytes = *(ulong*)entry & ~0xFF_FFFF_FFFFul;
        bytes |= 0xE9 | (ulong)(uint)(b.RequestExit - (b.Entry + 5)) << 8;
        // SAFETY: entries are aligned to 16 bytes.
        Volatile.Write(ref *(ulong*)entry, bytes);
    }

    /// <summary>Whether a store to host memory, inside one page, would hit translated code.</summary>
    internal bool HasCode(nint address, int length)
    {
        int offset = (int)(address & (nint)SoftTlb.PageMask);
        lock (_pages.Sync)
            return (_table.ChunksOf(address - offset) & Chunks(offset, length)) != 0;
    }

    private static ulong Chunks(int offset, int length)
    {
        int first = offset >> 6, last = (offset + length - 1) >> 6;
        return (ulong.MaxValue >> (63 - last)) & (ulong.MaxValue << first);
    }

    bool ICodeListener.Written(CodePage page, int offset, int length)
    {
        lock (_pages.Sync)
        {
            bool kept = _table.Invalidate(page.Address, Chunks(offset, length), this);
            foreach (TranslationUnit unit in _units)
                kept |= unit.Written(page.Address);
            return kept;
        }
    }

    /// <summary>Forgets all translations. On the thread of <paramref name="self"/>, outside <see cref="Run"/>.</summary>
    public void Forget(GuestCpu self) => FlushCache(self, always: true);

    // Everything is forgotten once all CPUs are out of generated code.
    private void FlushCache(GuestCpu self, bool always = false)
    {
        lock (_flushGate)
        {
            if (!always && _cache + _memory.Size - _next >= BlockRoom)
                return;
            _flushing = true;
            Interlocked.MemoryBarrier();
            foreach (GuestCpu cpu in _cpus)
            {
                if (cpu == self)
                    continue;
                SpinWait wait = default;
                while (cpu.InCode)
                {
                    Interlocked.Or(ref cpu.Block.Context.ExitRequest, JitContext.EngineRequest);
                    wait.SpinOnce();
                }
            }
            lock (_pages.Sync)
            {
                _table.Clear();
                _next = _firstBlock;
                foreach (TranslationUnit unit in _units)
                    unit.Forget();
                _generation++;
                Counters.CacheFlushes++;
            }
            _flushing = false;
        }
    }

    public void Dispose()
    {
        foreach (GuestCpu cpu in _cpus)
        {
            if (cpu.Handle != 0)
                GCHandle.FromIntPtr(cpu.Handle).Free();
            cpu.Handle = 0;
        }
        foreach (TranslationUnit unit in _units)
            unit.Dispose();
        _free.Dispose();
        _memory.Dispose();
    }
}
