using Myna.Hardware.Memory;
using Myna.Host.User;
using Myna.Jit.Engine;
using Myna.Jit.Memory;

namespace Myna.Jit.User;

/// <summary>
/// A user program's memory as its CPUs see it: the process's own, at the same addresses. Generated code accesses it
/// without a check; a fault ends in the interpreter, whose accesses are the ones here. Pages that the guest may write and
/// that translations were made of are write-protected on the host until the first store.
/// Other mappings of a shared page of code are write-protected too.
/// LIMIT: stores of other processes to shared memory are noticed at FENCE.I and at the guest's system calls for it only.
/// </summary>
public sealed class DirectMemory : IUserTranslator
{
    private const ulong PageMask = Ram.PageSize - 1;

    // Pages that translations were made of, and those of them that are write-protected; under Pages.Sync.
    private readonly HashSet<ulong> _code = [];
    private readonly HashSet<ulong> _protected = [];
    // Pages that are protected because what they share memory with was translated.
    private readonly Dictionary<ulong, HashSet<ulong>> _aliases = [];
    private readonly List<ulong> _found = [];
    private volatile bool _anyProtected, _anyShared;
    private ICodeListener? _listener;

    public DirectMemory(IGuestSpace space)
    {
        Space = space;
        HostSignals.Initialize();
        SafeMemory.Unprotect = TryUnprotect;
    }

    public IGuestSpace Space { get; }

    /// <summary>The record that the translator is made with.</summary>
    public CodePages Pages { get; } = new();

    internal void Attach(ICodeListener listener) => _listener = listener;

    /// <summary>Whether instructions can be fetched at an address.</summary>
    public bool CanFetch(ulong pc) => (Space.RightsAt(pc) & PageRights.Execute) != 0;

    /// <summary>Fetches 2 bytes of an instruction.</summary>
    public bool TryFetch(ulong pc, out ushort parcel)
    {
        bool done = SafeMemory.TryLoad(pc, 1, out ulong value) && CanFetch(pc) && CanFetch(pc + 1);
        parcel = (ushort)value;
        return done;
    }

    /// <summary>The bytes of a page that is to be translated; from now on stores to it are noticed. Both locks are held.</summary>
    /// <returns>False when the guest may not execute it.</returns>
    internal bool TryReadCode(ulong page, Span<byte> bytes)
    {
        PageRights rights = Space.RightsAt(page);
        if ((rights & PageRights.Execute) == 0)
            return false;
        if ((rights & PageRights.Write) != 0 && _protected.Add(page))
        {
            SafeMemory.TryProtect(page, Ram.PageSize, read: true, write: false);
            _anyProtected = true;
        }
        bool shared = Space.IsShared(page);
        if (shared)
        {
            _anyShared = true;
            ProtectAliases(page);
        }
        if (SafeMemory.Read(page, bytes) != bytes.Length)
            return false;
        _code.Add(page);
        return true;
    }

    private void ProtectAliases(ulong page)
    {
        _found.Clear();
        Space.AddAliases(page, _found);
        foreach (ulong alias in _found)
        {
            if (_protected.Add(alias))
                SafeMemory.TryProtect(alias, Ram.PageSize, read: true, write: false);
            if (!_aliases.TryGetValue(alias, out HashSet<ulong>? pages))
                _aliases[alias] = pages = [];
            pages.Add(page);
            _anyProtected = true;
        }
    }

    /// <inheritdoc/>
    public void Forget(ulong start, ulong length)
    {
        ulong first = start & ~PageMask, end = start + length;
        lock (Pages.Sync)
        {
            if (_code.Count == 0 && _protected.Count == 0)
                return;
            if ((end - first) / Ram.PageSize < (ulong)_code.Count)
            {
                for (ulong page = first; page < end; page += Ram.PageSize)
                    ForgetPage(page);
            }
            else
            {
                _code.RemoveWhere(page => page >= first && page < end && ForgetCode(page));
                _protected.RemoveWhere(page => page >= first && page < end);
            }
            _anyProtected = _protected.Count != 0;
        }
    }

    private void ForgetPage(ulong page)
    {
        if (_code.Remove(page))
            ForgetCode(page);
        _protected.Remove(page);
    }

    private bool ForgetCode(ulong page)
    {
        _listener?.Written(new CodePage((nint)page), 0, Ram.PageSize);
        return true;
    }

    /// <inheritdoc/>
    public bool PrepareWrite(ulong start, ulong length) => _anyProtected && length != 0 && Unprotect(start, length);

    /// <summary>A debugger's read: guest pages alone.</summary>
    /// <returns>False when part of the range is not mapped, or the guest may not access it at all.</returns>
    public bool DebugRead(ulong va, Span<byte> destination) => IsGuests(va, destination.Length) && SafeMemory.Read(va, destination) == destination.Length;

    /// <summary>A debugger's write: pages that the guest may not write too.</summary>
    /// <inheritdoc cref="DebugRead"/>
    public bool DebugWrite(ulong va, ReadOnlySpan<byte> source)
    {
        if (!IsGuests(va, source.Length))
            return false;
        bool done = SafeMemory.Write(va, source) == source.Length || SafeMemory.ForceWrite(va, source);
        FlushInstructions(va, (ulong)source.Length);
        return done;
    }

    private bool IsGuests(ulong va, int length)
    {
        ulong last = va + (ulong)length - 1;
        if (length == 0 || last < va)
            return length == 0;
        for (ulong page = va & ~PageMask; page <= last; page += Ram.PageSize)
        {
            if (!Space.IsMapped(page))
                return false;
        }
        return true;
    }

    /// <inheritdoc/>
    public void FlushInstructions(ulong start, ulong length)
    {
        lock (Space.Sync)
        {
            lock (Pages.Sync)
            {
                ulong first = start & ~PageMask, end = start + length;
                foreach (ulong page in _code)
                {
                    if (page >= first && page < end)
                        ForgetCode(page);
                }
            }
        }
    }

    /// <summary>An instruction said that instructions may have been stored somewhere: what could have changed without notice is forgotten.</summary>
    public void FlushShared()
    {
        if (!_anyShared)
            return;
        lock (Space.Sync)
        {
            lock (Pages.Sync)
            {
                foreach (ulong page in _code)
                {
                    if (Space.IsShared(page))
                        ForgetCode(page);
                }
            }
        }
    }

    // Another thread may have unprotected the page between the fault and this.
    private bool? TryUnprotect(ulong start, ulong length)
    {
        if (Unprotect(start, length))
            return true;
        return (Space.RightsAt(start) & PageRights.Write) != 0 && (Space.RightsAt(start + length - 1) & PageRights.Write) != 0 ? null : false;
    }

    // Whether anything has become writable.
    private bool Unprotect(ulong start, ulong length)
    {
        if (!_anyProtected)
            return false;
        bool changed = false;
        lock (Space.Sync)
        {
            lock (Pages.Sync)
            {
                if (length > (ulong)_protected.Count * Ram.PageSize)
                {
                    foreach (ulong page in _protected.Where(p => p + PageMask >= start && p < start + length).ToArray())
                        changed |= UnprotectPage(page);
                }
                else
                {
                    for (ulong page = start & ~PageMask; page < start + length; page += Ram.PageSize)
                        changed |= UnprotectPage(page);
                }
                _anyProtected = _protected.Count != 0;
            }
        }
        return changed;
    }

    private bool UnprotectPage(ulong page)
    {
        if (!_protected.Remove(page))
            return false;
        _code.Remove(page);
        ForgetCode(page);
        if (_aliases.Remove(page, out HashSet<ulong>? executed))
        {
            foreach (ulong other in executed)
            {
                _code.Remove(other);
                ForgetCode(other);
            }
        }
        return SafeMemory.TryProtect(page, Ram.PageSize, read: true, write: true);
    }
}
