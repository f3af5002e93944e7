using Myna.Host.User;
using Myna.Jit.Ir;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Jit.Engine;

/// <summary>How the preparation of an instruction fetch ended.</summary>
public enum FetchOutcome
{
    /// <summary>The page is in the soft-TLB with <see cref="PageRights.Execute"/>.</summary>
    Ready,
    /// <summary>A fault was raised; pc is its handler's.</summary>
    Fault,
    /// <summary>The page cannot be cached (protection finer than a page): interpret one instruction.</summary>
    Interpret,
}

/// <summary>
/// A virtual CPU as the translator sees it. The methods are called on the CPU's own thread, most of them from generated
/// code: they must not throw. <see cref="JitContext.Pc"/> is the pc of the instruction in question, and all registers are
/// in <see cref="CpuBlock"/>.
/// </summary>
public abstract class GuestCpu(CpuBlock block)
{
    public CpuBlock Block { get; } = block;

    /// <summary>
    /// Everything besides pc and the bytes of code that a translation depends on: privilege, MMU mode, whether
    /// floating point is on, …. At most 16 bits. Read by the engine after every callback that reports a change.
    /// </summary>
    public abstract uint BlockFlags { get; }

    /// <summary>MMU mode of instruction fetches under the current flags.</summary>
    public abstract int FetchMode { get; }

    /// <summary>Enters the page of <paramref name="pc"/> into the soft-TLB for execution, or raises the fetch fault.</summary>
    public abstract FetchOutcome FillFetch(ulong pc);

    /// <summary>A load that the soft-TLB could not answer: fills it, reaches devices, splits at page borders, or raises the fault.</summary>
    /// <param name="value">Zero-extended.</param>
    /// <returns>False: a fault was raised and pc is its handler's.</returns>
    public abstract bool SlowLoad(ulong va, MemSize size, int mode, out ulong value);

    /// <summary>As <see cref="SlowLoad"/>.</summary>
    public abstract bool SlowStore(ulong va, MemSize size, int mode, ulong value);

    /// <summary>
    /// Enters the pages of a store into the soft-TLB, or raises its fault. Asked of guests with <see cref="JitOptions.StrictCode"/>
    /// or loads for update only.
    /// </summary>
    /// <returns>False: a fault was raised and pc is its handler's.</returns>
    public virtual bool FillStore(ulong va, int bytes, int mode) => true;

    /// <summary>As <see cref="SlowLoad"/> for 16 bytes, the lower half of 32 when they are of a <paramref name="pair"/>.</summary>
    public virtual bool SlowLoadVector(ulong va, int mode, bool pair, out ulong low, out ulong high)
    {
        high = 0;
        return SlowLoad(va, MemSize.B8, mode, out low) && SlowLoad(va + 8, MemSize.B8, mode, out high);
    }

    /// <summary>As <see cref="SlowStore"/> for 16 bytes; a fault leaves all of them as they were.</summary>
    public virtual bool SlowStoreVector(ulong va, int mode, ulong low, ulong high)
        => SlowStore(va, MemSize.B8, mode, low) && SlowStore(va + 8, MemSize.B8, mode, high);

    /// <summary>The arithmetic flags from the lazy slots of a guest that has such; see <see cref="IrBuilder.ComputeFlags"/>.</summary>
    public virtual ulong ComputeFlags() => 0;

    /// <summary>Executes the one instruction at pc, traps included.</summary>
    /// <returns>
    /// True when execution simply goes on behind the instruction: pc has moved past it, and <see cref="BlockFlags"/> and
    /// the address translation are what they were. False: look at pc and flags anew.
    /// </returns>
    public abstract bool InterpretOne();

    /// <summary>In an <see cref="InterpretOne"/> called from inside a block: as given to <see cref="IrBuilder.Interpret"/>.</summary>
    protected int InterpretedLength => Block.Context.Details & 0xFF;

    /// <summary>
    /// Builds the IR of a block that starts at <paramref name="pc"/>, under flags <paramref name="flags"/>, and ends it.
    /// Must not touch the CPU's state, nor anything that other CPUs' translations use at the same time.
    /// </summary>
    /// <param name="page">The bytes of the page that holds pc. An instruction that leaves it is left to <see cref="IrBuilder.Interpret"/>.</param>
    /// <param name="maxLength">Guest instructions at most.</param>
    /// <remarks>A block without instructions makes the interpreter execute the one at pc this time.</remarks>
    public abstract void Translate(IrBuilder builder, ulong pc, uint flags, ReadOnlySpan<byte> page, int maxLength);

    /// <summary>In <see cref="Translate"/>: the page that instructions at <paramref name="va"/> come from now, stores to it being watched from here on.</summary>
    /// <param name="bytes">Filled with the page's first bytes.</param>
    /// <returns>False when the soft-TLB does not know, or a user program may not execute there.</returns>
    protected bool TryReadSecond(ulong va, Span<byte> bytes, out CodePage page) => Engine!.TryReadSecond(this, va, bytes, out page);

    /// <summary>Whether <see cref="IsBreakpoint"/> needs to be asked.</summary>
    public bool HasBreakpoints { get; protected set; }

    /// <summary>
    /// Whether a run ends in front of the instruction at <paramref name="pc"/>. No translation goes past such an address;
    /// <see cref="JitEngine.Forget"/> after the set changed.
    /// </summary>
    public virtual bool IsBreakpoint(ulong pc) => false;

    /// <summary>Of a user program's thread: where generated code says whether the thread is in C#. Set before the first run.</summary>
    public SignalSlot? UserSlot
    {
        set => Block.Context.State = value?.StateAddress ?? Block.Context.State;
    }

    // The engine's own state of this CPU.
    internal volatile bool InCode;
    internal int Generation;
    internal Exception? Failure;
    internal nint Handle;
    internal JitEngine? Engine;
    /// <summary>While this CPU translates.</summary>
    internal TranslationUnit? Unit;
}
