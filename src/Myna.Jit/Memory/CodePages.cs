using Myna.Hardware.Memory;

namespace Myna.Jit.Memory;

/// <summary>Identity of a physical page that code is executed from: the host address of its first byte.</summary>
public readonly record struct CodePage(nint Address)
{
    /// <summary>The page's 4096 bytes.</summary>
    public unsafe ReadOnlySpan<byte> Bytes => new((void*)Address, Ram.PageSize); // SAFETY: made by SoftTlb from a page of RAM only, which lives as long as the machine.
}

/// <summary>Somebody who keeps something derived from code: translated blocks, predecoded instructions.</summary>
public interface ICodeListener
{
    /// <summary>Bytes [offset, offset+length) of a page are about to be written; any thread.</summary>
    /// <returns>True when something derived from the page is still kept.</returns>
    bool Written(CodePage page, int offset, int length);
}

/// <summary>
/// A machine's record of the pages that hold code somebody has derived something from. Stores to them, by CPUs and by
/// devices, reach the listeners before they happen.
/// </summary>
public sealed class CodePages : IRamWatcher
{
    /// <summary>
    /// Held around every report to listeners. A listener whose answers depend on a structure of its own guards it with
    /// this lock, and holds it from <see cref="Watch"/> until what it derives from the page is in place.
    /// </summary>
    public Lock Sync { get; } = new();

    private Ram[] _rams = [];
    private SoftTlb[] _tlbs = [];
    private ICodeListener[] _listeners = [];

    /// <summary>Makes code in a RAM watchable. Call it for every RAM and ROM that CPUs can execute from.</summary>
    public void Add(Ram ram)
    {
        lock (Sync)
        {
            ram.SetWatcher(this);
            _rams = [.. _rams, ram];
        }
    }

    /// <summary>Makes a CPU's stores visible to the listeners.</summary>
    public void Add(SoftTlb tlb)
    {
        lock (Sync)
        {
            tlb.Attach(this);
            _tlbs = [.. _tlbs, tlb];
        }
    }

    public void Add(ICodeListener listener)
    {
        lock (Sync)
            _listeners = [.. _listeners, listener];
    }

    /// <summary>A listener whose CPU is gone hears no more.</summary>
    public void Remove(ICodeListener listener)
    {
        lock (Sync)
            _listeners = [.. _listeners.Where(l => l != listener)];
    }

    /// <summary>From now on stores to the page are reported. Call it before reading the page's bytes.</summary>
    public void Watch(CodePage page)
    {
        if (Find(page.Address, out ulong offset) is not { } ram || ram.IsWatched(offset))
            return;
        lock (Sync)
        {
            ram.Watch(offset, true);
            Interlocked.MemoryBarrier();
            foreach (SoftTlb tlb in _tlbs)
                tlb.ForceSlowWrites(page.Address);
        }
    }

    internal bool IsWatched(nint page) => Find(page, out ulong offset) is { } ram && ram.IsWatched(offset);

    // A CPU is about to store; false when the page need not be watched any longer.
    internal bool Store(nint address, int length)
    {
        if (Find(address, out ulong offset) is not { } ram || !ram.IsWatched(offset))
            return false;
        return Notify(ram, offset, length);
    }

    void IRamWatcher.Written(Ram ram, ulong offset, ulong length)
    {
        while (length != 0)
        {
            int run = (int)Math.Min(length, Ram.PageSize - (offset & (Ram.PageSize - 1)));
            if (ram.IsWatched(offset))
                Notify(ram, offset, run);
            offset += (ulong)run;
            length -= (ulong)run;
        }
    }

    private bool Notify(Ram ram, ulong offset, int length)
    {
        ulong start = offset & ~(ulong)(Ram.PageSize - 1);
        CodePage page = new(ram.HostAddress + (nint)start);
        lock (Sync)
        {
            bool kept = false;
            foreach (ICodeListener listener in _listeners)
                kept |= listener.Written(page, (int)(offset - start), length);
            if (!kept)
                ram.Watch(offset, false);
            return kept;
        }
    }

    private Ram? Find(nint address, out ulong offset)
    {
        foreach (Ram ram in _rams)
        {
            offset = (ulong)(address - ram.HostAddress);
            if (offset < ram.Size)
                return ram;
        }
        offset = 0;
        return null;
    }
}
