using Myna.Host;

namespace Myna.Jit.Memory;

/// <summary>
/// One virtual CPU's state as generated code sees it, at fixed offsets: <see cref="JitContext"/>, the guest's register
/// structure, the soft-TLB, the jump cache. C# reaches the same bytes through references.
/// </summary>
public sealed class CpuBlock : IDisposable
{
    /// <summary>Offset of the guest's register structure.</summary>
    public const int RegistersOffset = JitContext.Size;

    /// <summary>Generated code's base register points this far behind the block's start, so that 32 registers are one displacement byte away.</summary>
    internal const int Bias = RegistersOffset + 128;

    /// <summary>Largest register structure, in bytes.</summary>
    public const int MaxRegistersSize = 3072;

    internal const int TlbOffset = RegistersOffset + MaxRegistersSize;
    internal const int JumpCacheBits = 13;
    internal const int JumpCacheEntry = 32;

    private readonly NativeBlock _memory;
    private bool _isFree;

    /// <param name="mmuModes">How many soft-TLBs: one for each way of translating addresses that alternates often.</param>
    public CpuBlock(int mmuModes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(mmuModes, 1);
        MmuModes = mmuModes;
        _memory = new NativeBlock(JumpCacheOffset + (JumpCacheEntry << JumpCacheBits));
        GC.AddMemoryPressure(_memory.Size);
        Tlb = new SoftTlb(this, _memory, TlbOffset, mmuModes);
        ref JitContext context = ref Context;
        context.Mxcsr = context.HostMxcsr = 0x1F80;
        context.Base = _memory.Address + Bias;
        context.State = _memory.Address + 92;
        context.JumpTag = 1u << 16;
        context.Constants = Constants.Create();
        context.FlagTables = FlagTables.Create();
    }

    public int MmuModes { get; }
    public SoftTlb Tlb { get; }
    public ref JitContext Context => ref _memory.At<JitContext>();

    internal int JumpCacheOffset => TlbOffset + (MmuModes * SoftTlb.BytesPerMode);
    internal nint Address => _memory.Address;

    /// <summary>Address of <see cref="JitContext.ExitRequest"/>, for signal handlers.</summary>
    public nint ExitRequestAddress => _memory.Address;

    /// <summary>The guest's register structure, at most <see cref="MaxRegistersSize"/> bytes.</summary>
    public ref T Registers<T>() where T : unmanaged => ref _memory.At<T>(RegistersOffset);

    /// <summary>Forgets every cached jump target; flushing the soft-TLB does it too.</summary>
    public void FlushJumps()
    {
        ref JitContext context = ref Context;
        uint next = context.JumpTag + (1u << 16);
        if (next < 1u << 16)
        {
            // The generation wrapped: entries of its first life could match again.
            _memory.Span<byte>(JumpCacheOffset, JumpCacheEntry << JumpCacheBits).Clear();
            next += 1u << 16;
        }
        context.JumpTag = next;
        _jumpPages.AsSpan().Clear();
    }

    // Pages that cached jump targets lie in, hashed: most pages that are flushed alone hold data.
    private const int JumpPageBits = 12;
    private readonly ulong[] _jumpPages = new ulong[1 << (JumpPageBits - 6)];

    private static int JumpPage(ulong pc) => (int)(((pc >> 12) * 0x9E37_79B9_7F4A_7C15) >> (64 - JumpPageBits));

    /// <summary>Forgets cached jump targets in one page.</summary>
    internal void FlushJumpsTo(ulong va)
    {
        int page = JumpPage(va);
        if ((_jumpPages[page >> 6] >> (page & 63) & 1) != 0)
            FlushJumps();
    }

    private struct JumpEntry
    {
        public ulong Pc, Tag, Code, Unused;
    }

    internal void RememberJump(ulong pc, uint tag, nint code)
    {
        int index = (int)(pc >> 1) & ((1 << JumpCacheBits) - 1);
        ref JumpEntry e = ref _memory.At<JumpEntry>(JumpCacheOffset + (index * JumpCacheEntry));
        e.Pc = pc;
        e.Tag = tag;
        e.Code = (ulong)code;
        int page = JumpPage(pc);
        _jumpPages[page >> 6] |= 1UL << (page & 63);
    }

    /// <summary>For whoever knows that nobody looks at the CPU any more; otherwise the collector finds out: a timer may reach the CPU of a machine that is over.</summary>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    ~CpuBlock() => Free();

    private void Free()
    {
        if (_isFree)
            return;
        _isFree = true;
        GC.RemoveMemoryPressure(_memory.Size);
        _memory.Dispose();
    }
}
