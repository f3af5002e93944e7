using System.Diagnostics;
using System.Globalization;

namespace Myna.Fuzz.Devices;

/// <summary>The command line of <c>myna-fuzz devices</c>.</summary>
internal static class DeviceCommand
{
    private const string Usage = "usage: myna-fuzz devices [--board q35|pc|microvm|virt] [--seed N] [--accesses N]";

    public static int Run(string[] args)
    {
        string[] boards = ["q35", "pc", "microvm", "virt", "virt,aia=aplic-imsic"];
        ulong seed = 1;
        long accesses = 10_000_000;
        for (int i = 0; i < args.Length; i++)
        {
            string Value() => i + 1 < args.Length ? args[++i] : throw new ArgumentException($"{args[i]} needs a value");
            try
            {
                switch (args[i])
                {
                    case "--board": boards = [Value()]; break;
                    case "--seed": seed = ulong.Parse(Value(), CultureInfo.InvariantCulture); break;
                    case "--accesses": accesses = long.Parse(Value(), CultureInfo.InvariantCulture); break;
                    default: throw new ArgumentException($"unknown option {args[i]}");
                }
            }
            catch (Exception e) when (e is ArgumentException or FormatException or OverflowException)
            {
                Console.Error.WriteLine($"myna-fuzz: {e.Message}\n{Usage}");
                return 2;
            }
        }
        int failed = 0;
        foreach (string board in boards)
        {
            var watch = Stopwatch.StartNew();
            using var fuzzer = new BoardFuzzer(board, seed);
            long seen = -1;
            // An access that never returns is found from outside.
            using var watchdog = new Timer(_ =>
            {
                if (fuzzer.Accesses == seen)
                    Environment.FailFast($"no progress: {fuzzer.Where}");
                seen = fuzzer.Accesses;
            }, null, 30_000, 30_000);
            try
            {
                fuzzer.Run(accesses);
            }
            catch (InvalidOperationException e)
            {
                failed++;
                Console.WriteLine(e.Message);
            }
            Console.WriteLine($"{board}: {fuzzer.Accesses} accesses from seed {seed} in {watch.Elapsed.TotalSeconds:F0} s, {fuzzer.Machines} machines, {fuzzer.Requests} disk requests and frames, heap {GC.GetTotalMemory(true) >> 20} MiB");
        }
        return failed == 0 ? 0 : 1;
    }
}
