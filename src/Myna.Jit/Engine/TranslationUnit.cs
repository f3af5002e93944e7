using Myna.Jit.Ir;
using Myna.Jit.X64;

namespace Myna.Jit.Engine;

/// <summary>
/// What a CPU translates with, so that several can at the same time: IR, compiler, a piece of the code cache, and the pages
/// that the block in the making is read from.
/// </summary>
internal sealed unsafe class TranslationUnit : IDisposable
{
    public TranslationUnit(JitOptions options, Thunks thunks)
    {
        Ir = new IrBuilder(options);
        Compiler = new Compiler(Ir, options, thunks);
    }

    public IrBuilder Ir { get; }
    public Compiler Compiler { get; }

    /// <summary>The copy of a user program's page that is translated.</summary>
    public byte[] PageBytes { get; } = new byte[Hardware.Memory.Ram.PageSize];

    /// <summary>The rest of the piece of the code cache that is this unit's; a change needs the engine's lock.</summary>
    public byte* Next, Limit;

    // The rest is guarded by the engine's lock.

    /// <summary>Of the blocks that this unit has made; its pieces are taken in ascending order.</summary>
    public FaultTable Faults { get; } = new();

    private nint _page, _secondPage;

    /// <summary>Whether one of the pages was written since <see cref="Begin"/>.</summary>
    public bool Stale { get; private set; }

    /// <summary>A block is read from the page from now on.</summary>
    public void Begin(nint page)
    {
        _page = _secondPage = page;
        Stale = false;
    }

    /// <summary>The block is read from a second page as well.</summary>
    public void Add(nint page) => _secondPage = page;

    public void End() => _page = _secondPage = 0;

    /// <summary>The page was written.</summary>
    /// <returns>Whether a block is being read from it.</returns>
    public bool Written(nint page)
    {
        if (page != _page && page != _secondPage)
            return false;
        Stale = true;
        return true;
    }

    /// <summary>The code cache begins anew.</summary>
    public void Forget()
    {
        Next = Limit = null;
        Faults.Clear();
    }

    public void Dispose() => Compiler.Dispose();
}
