using Myna.Host;
using Myna.Jit.User;
using Myna.Linux.Loading;
using Myna.Linux.Threads;
using static Myna.Linux.Errno;

namespace Myna.Linux.Calls;

/// <summary>The system calls of one ABI, found by number.</summary>
public sealed class SystemCalls
{
    /// <summary>Returned by handlers after which the guest's result register must stay as it is (sigreturn, execve, exit).</summary>
    public const long NoResult = long.MinValue;

    private readonly CallRow?[] _rows;
    private readonly AbiKind _abi;
    private readonly bool _narrow;
    private bool _descriptorsGiven;
    private readonly HashSet<long> _unknown = [];

    public SystemCalls(AbiKind abi)
    {
        _abi = abi;
        _narrow = abi == AbiKind.I386;
        _rows = _narrow ? Narrow.NarrowTable.Rows(abi) : Wide(abi);
    }

    private static CallRow?[] Wide(AbiKind abi)
    {
        var rows = new CallRow?[CallTable.Rows.Max(r => r.NumberFor(abi)) + 1];
        foreach (CallRow row in CallTable.Rows)
        {
            int number = row.NumberFor(abi);
            if (number >= 0)
                rows[number] = row;
        }
        return rows;
    }

    private static bool TouchesDescriptors(CallRow row)
    {
        string[] makers = ["socket", "pipe", "eventfd", "epoll", "inotify", "memfd", "signalfd", "timerfd", "clone", "fork", "exec"];
        return row.Name != "mmap" && (row.Kinds.Any(k => k.Kind is ArgumentKind.Descriptor or ArgumentKind.DirectoryDescriptor or ArgumentKind.Path or ArgumentKind.LinkPath)
            || makers.Any(m => row.Name.Contains(m, StringComparison.Ordinal)));
    }

    /// <summary>Before the first call that makes or takes a descriptor: the runtime has opened what it needs by then, as late as can be.</summary>
    private void GiveDescriptors(LinuxProcess process)
    {
        _descriptorsGiven = true;
        process.Descriptors.HideRuntime();
        RuntimeSettings.ClosePlaceholders();
    }

    public CallRow? Find(long number) => (ulong)number < (ulong)_rows.Length ? _rows[number] : null;

    /// <summary>Makes a call.</summary>
    /// <returns>Its result, -errno, -512 (begin again) or <see cref="NoResult"/>.</returns>
    public long Invoke(GuestThread thread, long number, ulong a0, ulong a1, ulong a2, ulong a3, ulong a4, ulong a5)
    {
        if (Find(number) is not { } row)
            return Unknown(thread, number, a0, a1, a2, a3, a4, a5);
        if (!_descriptorsGiven && TouchesDescriptors(row))
            GiveDescriptors(thread.Process);
        thread.Scratch.Reset();
        if (_narrow)
            Extend(row, ref a0, ref a1, ref a2, ref a3, ref a4, ref a5);
        var call = new Call(thread, row, _abi, a0, a1, a2, a3, a4, a5);
        if (thread.Process.Trace is { } trace)
            return trace.Invoke(call);
        return Invoke(call);
    }

    // Registers of 32 bits: what the kernel takes for a signed number keeps its sign.
    private static void Extend(CallRow row, ref ulong a0, ref ulong a1, ref ulong a2, ref ulong a3, ref ulong a4, ref ulong a5)
    {
        CallArgument[] kinds = row.Kinds;
        for (int i = 0; i < kinds.Length; i++)
        {
            if (kinds[i].Kind is not (ArgumentKind.Int or ArgumentKind.Descriptor or ArgumentKind.DirectoryDescriptor or ArgumentKind.Signal))
                continue;
            ref ulong argument = ref (i == 0 ? ref a0 : ref i == 1 ? ref a1 : ref i == 2 ? ref a2 : ref i == 3 ? ref a3 : ref i == 4 ? ref a4 : ref a5);
            argument = (ulong)(int)argument;
        }
    }

    internal static long Invoke(in Call call)
    {
        CallRow row = call.Row;
        if (call.Process.Memory.Translator is { } translator)
            PrepareOutput(translator, call);
        long result = row.Handler is { } handler ? handler(call) : Paths.Pass(call);
        // A page that translations write-protect, which the row does not name (buffers of readv): make all writable and try once more.
        if (result == -EFAULT && row.Handler is null && call.Process.Memory.Translator is { } t && t.PrepareWrite(0, call.Process.Memory.End))
        {
            call.Scratch.Reset();
            result = Paths.Pass(call);
        }
        return result;
    }

    private static void PrepareOutput(IUserTranslator translator, in Call call)
    {
        CallArgument[] kinds = call.Row.Kinds;
        for (int i = 0; i < kinds.Length; i++)
        {
            if (kinds[i].Kind != ArgumentKind.Out || call[i] == 0)
                continue;
            ulong length = kinds[i].Related >= 0 ? call[kinds[i].Related] : (ulong)kinds[i].Size;
            if (length != 0)
                translator.PrepareWrite(call[i], Math.Min(length, Memory.AddressSpace.Limit));
        }
    }

    private long Unknown(GuestThread thread, long number, ulong a0, ulong a1, ulong a2, ulong a3, ulong a4, ulong a5)
    {
        lock (_unknown)
        {
            if (_unknown.Add(number))
                thread.Process.Log($"system call {number} of {_abi} is unknown (arguments 0x{a0:x} 0x{a1:x} 0x{a2:x})");
        }
        thread.Process.Trace?.Line($"syscall_{number}(0x{a0:x}, 0x{a1:x}, 0x{a2:x}, 0x{a3:x}, 0x{a4:x}, 0x{a5:x}) = -1 ENOSYS");
        return -ENOSYS;
    }
}
