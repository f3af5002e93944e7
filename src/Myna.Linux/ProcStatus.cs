using System.Globalization;
using System.Text;
using Myna.Linux.Memory;
using Myna.Linux.Signals;
using Myna.Linux.Threads;

namespace Myna.Linux;

/// <summary>stat, statm, status and limits of this process and its threads: the host's, save what is about Myna's runtime.</summary>
internal sealed partial class ProcFiles
{
    /// <summary>proc_pid_stat(5).</summary>
    private byte[] Stat(string folder)
    {
        string host = File.ReadAllText(folder + "/stat", Encoding.Latin1);
        int close = host.LastIndexOf(')');
        string[] fields = host[(close + 2)..].TrimEnd('\n').Split(' ');
        // Fields are counted from 1, and the first here is the third.
        const int ThreadCount = 20, VirtualSize = 23, StartCode = 26, StartStack = 28, Signals = 31, StartData = 45, StartHeap = 47, ArgumentStart = 48;
        Set(ThreadCount, (ulong)process.Threads.Count);
        Set(VirtualSize, process.Memory.Size);
        Set(StartCode, process.Image.ProgramBase);
        Set(StartCode + 1, process.Image.ProgramBase);
        Set(StartStack, process.Image.StackPointer);
        SignalSets sets = SetsOf(folder);
        Set(Signals + 1, sets.Blocked & 0x7FFF_FFFF);
        Set(Signals + 2, sets.Ignored & 0x7FFF_FFFF);
        Set(Signals + 3, sets.Caught & 0x7FFF_FFFF);
        Set(StartData, process.Image.ProgramBase);
        Set(StartData + 1, process.Memory.Heap.Start);
        Set(StartHeap, process.Memory.Heap.Start);
        Set(ArgumentStart, process.Image.ArgumentArea.Start);
        Set(ArgumentStart + 1, process.Image.ArgumentArea.End);
        Set(ArgumentStart + 2, process.Image.EnvironmentArea.Start);
        Set(ArgumentStart + 3, process.Image.EnvironmentArea.End);
        return GuestText.Encode($"{host[..(close + 2)]}{string.Join(' ', fields)}\n");

        void Set(int field, ulong value)
        {
            if (field - 3 < fields.Length)
                fields[field - 3] = value.ToString(CultureInfo.InvariantCulture);
        }
    }

    /// <summary>proc_pid_statm(5): pages. What is resident is Myna's as well.</summary>
    private byte[] Sizes()
    {
        string[] fields = File.ReadAllText("/proc/self/statm", Encoding.Latin1).TrimEnd('\n').Split(' ');
        ulong size = process.Memory.Size / AddressSpace.PageSize;
        for (int i = 0; i < fields.Length; i++)
        {
            if (ulong.TryParse(fields[i], NumberStyles.None, CultureInfo.InvariantCulture, out ulong value))
                fields[i] = (i == 0 ? size : Math.Min(value, size)).ToString(CultureInfo.InvariantCulture);
        }
        return GuestText.Encode(string.Join(' ', fields) + "\n");
    }

    /// <summary>proc_pid_status(5).</summary>
    private byte[] Status(string folder)
    {
        ulong size = process.Memory.Size / 1024;
        SignalSets sets = SetsOf(folder);
        var text = new StringBuilder();
        foreach (string line in File.ReadLines(folder + "/status", Encoding.Latin1))
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            string name = colon < 0 ? "" : line[..colon];
            string? value = name switch
            {
                "Threads" => process.Threads.Count.ToString(CultureInfo.InvariantCulture),
                "VmPeak" or "VmSize" => Kilobytes(size),
                "VmData" => Kilobytes(Math.Min(size, NumberOf(line[(colon + 1)..]))),
                "VmStk" => Kilobytes((process.Image.Stack.End - process.Image.Stack.Start) / 1024),
                "SigPnd" or "ShdPnd" => Bits(SignalNumbers.ToGuestMask(ulong.Parse(line.AsSpan(colon + 1).Trim(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture))),
                "SigBlk" => Bits(sets.Blocked),
                "SigIgn" => Bits(sets.Ignored),
                "SigCgt" => Bits(sets.Caught),
                _ => null,
            };
            _ = (value is null ? text.Append(line) : text.Append(name).Append(":\t").Append(value)).Append('\n');
        }
        return GuestText.Encode(text.ToString());

        static string Kilobytes(ulong count) => count.ToString(CultureInfo.InvariantCulture).PadLeft(8) + " kB";
        static string Bits(ulong set) => set.ToString("x16", CultureInfo.InvariantCulture);
        static ulong NumberOf(string text) => ulong.TryParse(text.AsSpan().Trim().TrimEnd("kB ").Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) ? number : ulong.MaxValue;
    }

    private readonly record struct SignalSets(ulong Blocked, ulong Ignored, ulong Caught);

    private SignalSets SetsOf(string folder)
    {
        GuestThread[] threads = process.Threads.ToArray();
        int slash = folder.LastIndexOf('/');
        // The process's own folder speaks of its first thread.
        GuestThread? thread = int.TryParse(folder.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int id)
            ? Array.Find(threads, t => t.Tid == id)
            : Array.Find(threads, t => t.Tid == (int)Host.HostSyscall.Invoke(SysGetpid));
        ulong ignored = 0, caught = 0;
        for (int signal = 1; signal <= SignalNumbers.Count; signal++)
        {
            ulong handler = process.Signals.Get(signal).Handler;
            ignored |= handler == SignalAction.Ignore ? SignalNumbers.Bit(signal) : 0;
            caught |= handler > SignalAction.Ignore ? SignalNumbers.Bit(signal) : 0;
        }
        return new SignalSets(thread?.Mask ?? 0, ignored, caught);
    }

    /// <summary>proc_pid_limits(5).</summary>
    private byte[] Limits()
    {
        var text = new StringBuilder();
        foreach (string line in File.ReadLines("/proc/self/limits", Encoding.Latin1))
        {
            int resource = line.StartsWith("Max data size ", StringComparison.Ordinal) ? ResourceLimits.Data
                : line.StartsWith("Max stack size ", StringComparison.Ordinal) ? ResourceLimits.Stack
                : line.StartsWith("Max address space ", StringComparison.Ordinal) ? ResourceLimits.AddressSpace : -1;
            if (resource < 0)
            {
                _ = text.Append(line).Append('\n');
                continue;
            }
            (ulong soft, ulong hard) = process.Limits.Get(resource);
            _ = text.Append(CultureInfo.InvariantCulture, $"{line[..25],-25} {Number(soft),-20} {Number(hard),-20} {"bytes",-10}\n");
        }
        return GuestText.Encode(text.ToString());

        static string Number(ulong value) => value == ResourceLimits.Infinity ? "unlimited" : value.ToString(CultureInfo.InvariantCulture);
    }
}
