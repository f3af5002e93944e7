using System.Runtime.InteropServices;

namespace Myna.Host.Kvm;

/// <summary>kvm_coalesced_mmio: a write that the guest made and went on.</summary>
[StructLayout(LayoutKind.Sequential, Size = 24)]
public struct KvmCoalescedWrite
{
    public ulong Address;
    /// <summary>1, 2, 4 or 8 bytes.</summary>
    public uint Length;
    /// <summary>1: an I/O port.</summary>
    public uint Port;
    public ulong Data;
}

/// <summary>kvm_coalesced_mmio_ring: one for all CPUs of a machine. One thread at a time takes from it.</summary>
public sealed unsafe class KvmCoalescedRing
{
    private const int PageSize = 4096, Entries = 8;
    private static readonly uint s_count = (uint)((PageSize - Entries) / sizeof(KvmCoalescedWrite));

    private readonly uint* _first, _last;
    private readonly KvmCoalescedWrite* _entries;

    /// <param name="page">Inside the mapping of a CPU, which lives as long as this is used.</param>
    internal KvmCoalescedRing(byte* page)
    {
        _first = (uint*)page;
        _last = (uint*)(page + 4);
        _entries = (KvmCoalescedWrite*)(page + Entries);
    }

    // SAFETY: the constructor's page holds both indices, here and below.
    public bool IsEmpty => Volatile.Read(ref *_first) == Volatile.Read(ref *_last);

    /// <summary>The oldest write.</summary>
    public bool TryPeek(out KvmCoalescedWrite write)
    {
        uint first = *_first;
        bool there = first != Volatile.Read(ref *_last);
        // SAFETY: the index is below the number of entries of the page whatever the shared memory says.
        write = there ? _entries[first % s_count] : default;
        return there;
    }

    /// <summary>The kernel may use the oldest one's place again.</summary>
    public void Advance() => Volatile.Write(ref *_first, (*_first + 1) % s_count);
}
