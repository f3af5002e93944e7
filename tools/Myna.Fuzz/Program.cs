using System.Diagnostics;
using System.Globalization;
using Myna.Fuzz;
using Myna.Fuzz.Devices;
using Myna.Fuzz.RiscV;
using Myna.Fuzz.X86;

if (args is ["x86", ..] && OperatingSystem.IsLinux())
    return X86Command.Run(args[1..]);
if (args is ["devices", ..])
    return DeviceCommand.Run(args[1..]);

// Runs random programs on the first engine and on one of the others in turn, and compares. Besides the engines of this
// build there is qemu-user: Debian's qemu-riscv64. [--trace]
ulong seed = 1, cases = ulong.MaxValue;
double minutes = 1;
string[] engines = ["interp", "jit", "jit-counting"];
bool keepGoing = false, trace = false;
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
            case "--engines": engines = Value().Split(','); break;
            case "--keep-going": keepGoing = true; break;
            case "--trace": trace = true; break;
            default: throw new ArgumentException($"unknown option {args[i]}");
        }
    }
    catch (Exception e) when (e is ArgumentException or FormatException or OverflowException)
    {
        Console.Error.WriteLine($"myna-fuzz: {e.Message}\nusage: myna-fuzz [--seed N] [--minutes M] [--cases N] [--engines REFERENCE,SUBJECT...] [--keep-going] [--trace]");
        return 2;
    }
}

if (engines.Length == 1)
    engines = [engines[0], engines[0]];
IComparison[] runs =
[
    .. engines[1..].Select<string, IComparison>(subject => subject == "qemu-user"
        ? new QemuComparison(engines[0])
        : new DifferentialRun(engines[0], subject, Engines.Counts(subject))),
];
if (trace)
{
    (runs[seed % (ulong)runs.Length] as DifferentialRun)?.Trace(seed, Console.Out);
    return 0;
}
var watch = Stopwatch.StartNew();
var shown = TimeSpan.Zero;
ulong done = 0, failed = 0;
string Summary() => $"{done} programs from seed {seed}, {runs.Sum(r => (long)r.Instructions)} instructions in {watch.Elapsed.TotalSeconds:F0} s, {failed} differences, {runs.Sum(r => (long)r.Undecided)} undecided";
for (; done < cases && watch.Elapsed.TotalMinutes < minutes; done++)
{
    if (runs[(seed + done) % (ulong)runs.Length].Run(seed + done) is { } report)
    {
        failed++;
        Console.WriteLine(report);
        if (!keepGoing)
        {
            done++;
            break;
        }
    }
    if (watch.Elapsed - shown > TimeSpan.FromSeconds(30))
    {
        shown = watch.Elapsed;
        Console.WriteLine(Summary());
    }
}
Console.WriteLine(Summary());
foreach (IComparison run in runs)
    run.Dispose();
return failed == 0 ? 0 : 1;
