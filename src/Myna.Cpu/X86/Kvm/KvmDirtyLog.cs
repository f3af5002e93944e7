using Myna.Hardware.Memory;
using Myna.Host.Kvm;

namespace Myna.Cpu.X86.Kvm;

/// <summary>
/// The log of pages that CPUs wrote in the kernel, by bitmaps with protection at our request or by a ring for each CPU, and of those
/// that devices and the interpreter wrote here.
/// </summary>
internal sealed class KvmDirtyLog : IDirtyLog
{
    private readonly KvmMachine _machine;
    private readonly bool _ring;
    private readonly Lock _lock = new();
    private readonly Dictionary<Ram, ulong[]> _pages = new(ReferenceEqualityComparer.Instance);
    private ulong[] _slotBits = [];

    public KvmDirtyLog(KvmMachine machine, bool ring)
    {
        _machine = machine;
        _ring = ring;
    }

    /// <summary>A page of RAM is in use: its writes from here are noted too.</summary>
    public void Begin(Ram ram)
    {
        lock (_lock)
        {
            if (_pages.TryAdd(ram, new ulong[Words(ram.Size)]))
                ram.LogWrites(on: true);
        }
    }

    /// <inheritdoc/>
    public void Collect(Ram ram, Span<ulong> bitmap)
    {
        Harvest();
        lock (_lock)
        {
            if (!_pages.TryGetValue(ram, out ulong[]? pages))
                return;
            ram.CollectWrites(pages);
            for (int i = 0; i < pages.Length; i++)
                bitmap[i] |= pages[i];
            Array.Clear(pages);
        }
    }

    /// <summary>Takes what the kernel has noted. Any thread.</summary>
    public void Harvest()
    {
        // The machine's lock goes ahead of the one here.
        if (_ring)
            _machine.TakeRings(Note);
        else
            _machine.ForEachSlot(HarvestSlot);
    }

    /// <summary>Of one slot, which is about to go.</summary>
    public void HarvestSlot(int slot, Region region)
    {
        if (_ring)
        {
            _machine.TakeRings(Note);
            return;
        }
        lock (_lock)
        {
            int words = Words(region.Size);
            if (_slotBits.Length < words)
                _slotBits = new ulong[words];
            Span<ulong> bits = _slotBits.AsSpan(0, words);
            bits.Clear();
            _machine.Vm.GetDirtyLog(slot, bits);
            if (!bits.ContainsAnyExcept(0UL))
                return;
            if (_machine.ClearsDirtyLog)
                _machine.Vm.ClearDirtyLog(slot, 0, (uint)(region.Size >> Ram.PageBits), bits);
            for (int i = 0; i < words; i++)
            {
                for (ulong left = bits[i]; left != 0; left &= left - 1)
                    NoteHere(region, ((ulong)i << 6) + (ulong)System.Numerics.BitOperations.TrailingZeroCount(left));
            }
        }
    }

    private void Note(Region region, ulong page)
    {
        lock (_lock)
            NoteHere(region, page);
    }

    private void NoteHere(Region region, ulong page)
    {
        ulong index = (region.RamOffset >> Ram.PageBits) + page;
        if (_pages.TryGetValue(region.Ram!, out ulong[]? pages) && index >> 6 < (ulong)pages.Length)
            pages[index >> 6] |= 1UL << (int)(index & 63);
    }

    private static int Words(ulong size) => (int)((size >> Ram.PageBits) + 63 >> 6);

    public void Dispose()
    {
        _machine.EndDirtyLog(this);
        foreach (Ram ram in _pages.Keys)
            ram.LogWrites(on: false);
    }
}
