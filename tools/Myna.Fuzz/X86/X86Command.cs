using System.Diagnostics;
using System.Globalization;
using System.Runtime.Versioning;

namespace Myna.Fuzz.X86;

/// <summary>The command line of <c>myna-fuzz x86</c>.</summary>
internal static class X86Command
{
    private const string Usage = "usage: myna-fuzz x86 [--seed N] [--minutes M] [--cases N] [--engine interp|jit|both|native] [--extension NAME] [--code NAME] [--keep-going] [--list]";

    [SupportedOSPlatform("linux")]
    public static int Run(string[] args)
    {
        ulong seed = 1, cases = ulong.MaxValue;
        double minutes = 1;
        string engine = "interp";
        string? extension = null, code = null;
        bool keepGoing = false, list = false;
        for (int i = 0; i < args.Length; i++)
        {
            string Value() => i + 1 < args.Length ? args[++i] : throw new ArgumentException($"{args[i]} needs a value");
            try
            {
                switch (args[i])
                {
                    case "--seed": seed = ulong.Parse(Value(), CultureInfo.InvariantCulture); break;
                    case "--minutes": minutes = double.Parse(Value(), CultureInfo.InvariantCulture); break;
                    case "--cases": cases = ulong.Parse(Value(), CultureInfo.InvariantCulture); break;
                    case "--engine": engine = Value(); break;
                    case "--extension": extension = Value(); break;
                    case "--code": code = Value(); break;
                    case "--keep-going": keepGoing = true; break;
                    case "--list": list = true; break;
                    default: throw new ArgumentException($"unknown option {args[i]}");
                }
            }
            catch (Exception e) when (e is ArgumentException or FormatException or OverflowException)
            {
                Console.Error.WriteLine($"myna-fuzz: {e.Message}\n{Usage}");
                return 2;
            }
        }
        if (NativeHost.Missing is { } reason)
        {
            Console.Error.WriteLine($"myna-fuzz: the reference is this host's processor: {reason}");
            return 2;
        }
        string[] engines = engine == "both" ? ["interp", "jit"] : [engine];
        var pool = new InstructionPool(engine == "native" ? _ => true : Executors.Model.Allows);
        var selection = new Selection(extension, code);
        if (list)
        {
            foreach (Iced.Intel.OpCodeInfo op in selection.Of([.. pool.Codes64.Union(pool.Codes32)]))
                Console.WriteLine($"{op.Code,-40} {op.ToInstructionString()}");
            int generated = 0, all = 0;
            foreach (var (feature, some, most, leftOut) in pool.Coverage(Executors.Model.Allows).OrderBy(c => c.Feature.ToString(), StringComparer.Ordinal))
            {
                generated += some;
                all += most;
                Console.WriteLine($"{feature,-16} {some,4} of {most,4} {string.Join(", ", leftOut)}");
            }
            Console.WriteLine($"{generated} of {all} encodings of what the CPU announces and the host has");
            return 0;
        }
        if (selection.Of(pool.Codes64).Length + selection.Of(pool.Codes32).Length == 0)
        {
            Console.Error.WriteLine("myna-fuzz: no instruction is left by this choice");
            return 2;
        }
        X86Comparison[] runs = [.. engines.Select(name => new X86Comparison(new NativeHost(), Executors.Create(name), new CaseGenerator(pool, selection)))];
        var kinds = new Dictionary<string, int>();
        var watch = Stopwatch.StartNew();
        var shown = TimeSpan.Zero;
        ulong done = 0, failed = 0;
        string Summary() => $"{done} cases from seed {seed}, {runs.Sum(r => (long)r.Instructions)} instructions in {watch.Elapsed.TotalSeconds:F0} s, {failed} differences, {runs.Sum(r => (long)r.Undecided)} undecided";
        for (; done < cases && watch.Elapsed.TotalMinutes < minutes; done++)
        {
            foreach (X86Comparison run in runs)
            {
                if (run.Run(seed + done) is not { } report)
                    continue;
                failed++;
                // One of each kind is enough to read.
                kinds[run.Kind] = kinds.GetValueOrDefault(run.Kind) + 1;
                if (kinds[run.Kind] == 1)
                    Console.WriteLine(report);
            }
            if (failed != 0 && !keepGoing)
            {
                done++;
                break;
            }
            if (watch.Elapsed - shown > TimeSpan.FromSeconds(30))
            {
                shown = watch.Elapsed;
                Console.WriteLine(Summary());
            }
        }
        Console.WriteLine(Summary());
        foreach ((string kind, int count) in kinds.OrderByDescending(k => k.Value))
            Console.WriteLine($"{count,6}  {kind}");
        Console.WriteLine("ended by: " + string.Join(", ", runs[0].Vectors.Select((count, vector) => (count, vector)).Where(v => v.count != 0).Select(v => $"#{v.vector} {v.count}")));
        foreach (X86Comparison run in runs)
            run.Dispose();
        return failed == 0 ? 0 : 1;
    }
}
