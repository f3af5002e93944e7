using System.Diagnostics;
using System.Globalization;
using System.Text;
using Myna.Devices.Virtio.Balloon;
using Myna.Machines;

namespace Myna.Control.Monitor;

// The guest's memory balloon.
public sealed partial class MachineMonitor
{
    // How long a guest is waited for that is asked for numbers.
    static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(500);

    VirtioBalloon FindBalloon() => _machine.Balloon ?? throw new MonitorException("the machine has no memory balloon; start it with --memory SIZE,balloon=on");

    string SetBalloon(string[] arguments)
    {
        VirtioBalloon balloon = FindBalloon();
        if (arguments.Length != 1 || !TryParseSize(arguments[0], out ulong size))
            throw new MonitorException("balloon needs a size, as in balloon 512 (MiB) or balloon 1G");
        ulong memory = _machine.Options.Memory;
        if (size > memory)
            throw new MonitorException($"the machine has {Mebibytes(memory)} MiB and cannot have more");
        balloon.Target = (uint)((memory - size) / VirtioBalloon.PageSize);
        return "";
    }

    static bool TryParseSize(string text, out ulong size)
    {
        int shift = char.ToUpperInvariant(text[^1]) switch { 'K' => 10, 'M' => 20, 'G' => 30, 'T' => 40, _ => -1 };
        bool good = ulong.TryParse(shift < 0 ? text : text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out size) && size < 1UL << 24;
        size <<= shift < 0 ? 20 : shift;
        return good;
    }

    static ulong Mebibytes(ulong bytes) => bytes >> 20;

    string Balloon()
    {
        VirtioBalloon balloon = FindBalloon();
        ulong memory = _machine.Options.Memory, given = (ulong)balloon.Actual * VirtioBalloon.PageSize, wanted = (ulong)balloon.Target * VirtioBalloon.PageSize;
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"balloon: actual={Mebibytes(memory - Math.Min(memory, given))} MiB, asked for {Mebibytes(memory - Math.Min(memory, wanted))} MiB of {Mebibytes(memory)} MiB\n");
        text.Append(CultureInfo.InvariantCulture, $"{Mebibytes(balloon.Returned)} MiB were returned to the host, free pages that the guest reported included\n");
        if (!TryRefresh(balloon))
            return text.ToString();
        for (int tag = 0; tag < VirtioBalloon.StatisticNames.Count; tag++)
        {
            if (balloon.Statistic(tag) is { } value)
                text.Append(CultureInfo.InvariantCulture, $"{VirtioBalloon.StatisticNames[tag]}: {value}\n");
        }
        return text.ToString();
    }

    // The buffer that the guest has given says how it was then: it is asked for another.
    bool TryRefresh(VirtioBalloon balloon)
    {
        if (_machine.State != MachineState.Running)
            return balloon.AskStatistics();
        int answers = balloon.StatisticAnswers;
        if (!balloon.AskStatistics())
            return false;
        var patience = Stopwatch.StartNew();
        while (balloon.StatisticAnswers == answers && patience.Elapsed < s_patience)
            Thread.Sleep(1);
        _ = balloon.AskStatistics();
        return true;
    }
}
