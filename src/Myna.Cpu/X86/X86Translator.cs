using Myna.Cpu.Engines;
using Myna.Cpu.X86.Decoding;
using Myna.Cpu.X86.Instructions;
using Myna.Jit.Engine;
using Myna.Jit.Ir;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>The translator that the x86 CPUs of one machine share: one code cache, one record of the pages with code.</summary>
public sealed class X86Translator : IDisposable
{
    private readonly JitEngine _engine;
    private readonly Lock _breakpointLock = new();

    // What the translations know of. All CPUs share them, so all have the same breakpoints.
    private IReadOnlySet<ulong>? _breakpoints;

    /// <param name="pages">The machine's record of pages with code, which the interpreters use too.</param>
    /// <param name="countInstructions">Exact instruction counts and limits, at a price: for lockstep and instruction-counted time.</param>
    /// <exception cref="IOException">The host gives no executable memory.</exception>
    public X86Translator(CodePages pages, bool countInstructions = false)
    {
        _engine = new JitEngine(new JitOptions
        {
            PinnedSlots = PinnedSlots,
            VectorSlots = X86Registers.Vectors,
            PinnedVectorSlots = PinnedVectorSlots,
            StrictCode = true,
            // A disk boot of a distribution translates some 700 MB.
            CacheSize = 384 << 20,
            CountInstructions = countInstructions,
        }, pages, MmuMode.Count);
    }

    // In the order in which host registers are given to them.
    private static int[] PinnedSlots =>
    [
        X86Registers.Gpr(0), X86Registers.Gpr(1), X86Registers.Gpr(2), X86Registers.Gpr(3), X86Registers.Gpr(4),
        X86Registers.Gpr(5), X86Registers.Gpr(6), X86Registers.Gpr(7), X86Registers.Gpr(8),
    ];

    private static int[] PinnedVectorSlots =>
    [
        X86Registers.Xmm(0), X86Registers.Xmm(1), X86Registers.Xmm(2), X86Registers.Xmm(3),
        X86Registers.Xmm(4), X86Registers.Xmm(5), X86Registers.Xmm(6), X86Registers.Xmm(7),
    ];

    /// <summary>Whether this host can run generated code.</summary>
    public static bool IsSupported => JitEngine.IsSupported;

    public JitCounters Counters => _engine.Counters;

    /// <summary>The engine of one CPU; <paramref name="interpreter"/> executes what is not translated.</summary>
    public ICpuEngine CreateEngine(X86Cpu cpu, Interpreter interpreter)
    {
        Guest guest = new(cpu, interpreter);
        _engine.Add(guest);
        return new Engine(this, guest);
    }

    public void Dispose() => _engine.Dispose();

    private sealed class Engine(X86Translator owner, Guest guest) : ICpuEngine
    {
        public string Name => "jit";

        public IEnumerable<(string Name, ulong Value)> Counters => JitCounterNames.List(owner.Counters, guest.Block.Tlb);

        public bool StopsAtBreakpoints => true;

        public void Run(ulong limit)
        {
            guest.UpdateBreakpoints(owner);
            owner._engine.Run(guest, limit);
        }

        public bool Step() => guest.InterpretOne();
    }

    /// <summary>A CPU as the translator sees it.</summary>
    private sealed class Guest : GuestCpu, ICodeSource
    {
        private readonly X86Cpu _cpu;
        private readonly Interpreter _interpreter;
        private readonly Translator _translator;
        private int _breakpointVersion;

        public Guest(X86Cpu cpu, Interpreter interpreter) : base(cpu.Block)
        {
            _cpu = cpu;
            _interpreter = interpreter;
            _translator = new Translator(new X86Decoder(cpu.Model.Allows), this);
        }

        bool ICodeSource.TryPageOf(ulong va, out CodePage page) => TryPageOf(va, out page);

        public override uint BlockFlags => _cpu.Flags.Bits;
        public override int FetchMode => _cpu.FetchMode;
        public override FetchOutcome FillFetch(ulong pc) => _cpu.FillFetch(pc);
        public override bool SlowLoad(ulong va, MemSize size, int mode, out ulong value) => _cpu.SlowLoad(va, size, mode, out value);
        public override bool SlowStore(ulong va, MemSize size, int mode, ulong value) => _cpu.SlowStore(va, size, mode, value);
        public override bool FillStore(ulong va, int bytes, int mode) => _cpu.ProbeWrite(va, bytes, mode);

        public override bool SlowLoadVector(ulong va, int mode, out ulong low, out ulong high) => _cpu.SlowLoadVector(va, mode, out low, out high);
        public override bool SlowStoreVector(ulong va, int mode, ulong low, ulong high) => _cpu.SlowStoreVector(va, mode, low, high);

        public override ulong ComputeFlags()
        {
            ref X86Registers r = ref _cpu.State;
            return LazyFlags.Compute(r.LazyOp, r.LazyA, r.LazyB, r.LazyResult);
        }

        public override bool InterpretOne()
        {
            ref JitContext context = ref _cpu.Block.Context;
            uint flags = _cpu.Flags.Bits, generation = _cpu.Generation;
            ulong next = context.Pc + (ulong)InterpretedLength;
            // Instructions that might have changed something mostly have not.
            return (_interpreter.Step() && _cpu.Flags.Bits == flags)
                || (_cpu.Generation == generation && context.Pc == next && Volatile.Read(ref context.ExitRequest) == 0);
        }

        public override bool IsBreakpoint(ulong pc) => _cpu.Breakpoints.Contains(pc);

        public void UpdateBreakpoints(X86Translator owner)
        {
            if (_breakpointVersion == _cpu.BreakpointVersion)
                return;
            lock (owner._breakpointLock)
            {
                // A debugger takes them all out at every stop and puts them back: that changes nothing.
                bool same = owner._breakpoints is null ? _cpu.Breakpoints.Count == 0 : owner._breakpoints.SetEquals(_cpu.Breakpoints);
                if (!same)
                {
                    owner._breakpoints = _cpu.Breakpoints.Count == 0 ? null : new HashSet<ulong>(_cpu.Breakpoints);
                    owner._engine.Forget(this);
                }
                _translator.Breakpoints = owner._breakpoints;
                HasBreakpoints = _cpu.Breakpoints.Count != 0;
                _breakpointVersion = _cpu.BreakpointVersion;
            }
        }

        public override void Translate(IrBuilder builder, ulong pc, uint flags, ReadOnlySpan<byte> page, int maxLength)
            => _translator.Translate(builder, pc, flags, page, maxLength);
    }
}
