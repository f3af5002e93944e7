using Myna.Host.User;
using Myna.Jit.Engine;
using Myna.Jit.Memory;

namespace Myna.Cpu.Engines;

/// <summary>The translator that the CPUs of one machine share: one code cache, one record of the pages with code.</summary>
public abstract class CpuTranslator : IDisposable
{
    private readonly JitEngine _engine;
    private readonly Lock _breakpointLock = new();

    // What the translations know of. All CPUs share them, so all have the same breakpoints.
    private IReadOnlySet<ulong>? _breakpoints;

    /// <param name="pages">The machine's record of pages with code.</param>
    /// <param name="modes">MMU modes of its CPUs.</param>
    /// <exception cref="IOException">The host gives no executable memory.</exception>
    private protected CpuTranslator(JitOptions options, CodePages pages, int modes) => _engine = new JitEngine(options, pages, modes);

    /// <summary>Whether this host can run generated code.</summary>
    public static bool IsSupported => JitEngine.IsSupported;

    public JitCounters Counters => _engine.Counters;

    private protected ICpuEngine Add(Guest guest)
    {
        _engine.Add(guest);
        return new Engine(this, guest);
    }

    /// <summary>Forgets a CPU that will not run again.</summary>
    /// <param name="engine">Its engine, of this translator.</param>
    public void Remove(ICpuEngine engine) => _engine.Remove(((Engine)engine).Guest);

    /// <summary>Forks the process, see <see cref="JitEngine.Fork"/>.</summary>
    /// <param name="cpu">The calling thread's.</param>
    public long Fork(EmulatedCpu cpu, Func<long> fork) => _engine.Fork(cpu.Block, fork);

    public virtual void Dispose()
    {
        _engine.Dispose();
        GC.SuppressFinalize(this);
    }

    private sealed class Engine(CpuTranslator owner, Guest guest) : ICpuEngine
    {
        internal Guest Guest => guest;

        public SignalSlot? Slot
        {
            set => guest.UserSlot = value;
        }

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

    /// <summary>A CPU as the translator sees it. Memory and flags are its instruction set's.</summary>
    /// <param name="interpreter">Executes what is not translated.</param>
    private protected abstract class Guest(EmulatedCpu cpu, ICpuEngine interpreter) : GuestCpu(cpu.Block)
    {
        private int _breakpointVersion;

        /// <summary>Addresses at which a block may begin but not go on; null when there are none.</summary>
        private protected IReadOnlySet<ulong>? Breakpoints { get; private set; }

        /// <summary>Bytes of the instruction in an <see cref="InterpretOne"/> that is called from inside a block.</summary>
        private protected virtual int Length => InterpretedLength;

        public sealed override bool InterpretOne()
        {
            ref JitContext context = ref Block.Context;
            uint flags = BlockFlags, generation = cpu.Generation;
            ulong next = context.Pc + (ulong)Length;
            // Instructions that might have changed something mostly have not: interrupts masked, system registers set to what they were.
            bool goesOn = (interpreter.Step() && BlockFlags == flags) || (cpu.Generation == generation && Volatile.Read(ref context.ExitRequest) == 0);
            // It need not be the instruction that was translated: another CPU may have replaced it since.
            return goesOn && context.Pc == next;
        }

        public sealed override bool IsBreakpoint(ulong pc) => cpu.Breakpoints.Contains(pc);

        internal void UpdateBreakpoints(CpuTranslator owner)
        {
            if (_breakpointVersion == cpu.BreakpointVersion)
                return;
            lock (owner._breakpointLock)
            {
                // A debugger takes them all out at every stop and puts them back: that changes nothing.
                bool same = owner._breakpoints is null ? cpu.Breakpoints.Count == 0 : owner._breakpoints.SetEquals(cpu.Breakpoints);
                if (!same)
                {
                    owner._breakpoints = cpu.Breakpoints.Count == 0 ? null : new HashSet<ulong>(cpu.Breakpoints);
                    owner._engine.Forget(this);
                }
                Breakpoints = owner._breakpoints;
                HasBreakpoints = cpu.Breakpoints.Count != 0;
                _breakpointVersion = cpu.BreakpointVersion;
            }
        }
    }
}
