using System.CommandLine;
using Myna.Machines.Guests;

namespace Myna.Cli.Commands;

/// <summary><c>myna cache</c>: where the cache is, how large; check and clear it.</summary>
internal static class CacheCommand
{
    public static Command Create()
    {
        var command = new Command("cache", "Shows, checks or clears what Myna keeps between runs.");
        command.SetAction(_ => Show());
        var verify = new Command("verify", "Compares every file of the cached guests with its hash.");
        verify.SetAction((_, cancellation) => VerifyAsync(cancellation));
        var clear = new Command("clear", "Deletes the cache; the next run fetches the guest again.");
        clear.SetAction(_ => Clear());
        command.Subcommands.Add(verify);
        command.Subcommands.Add(clear);
        return command;
    }

    private static int Show()
    {
        var directory = new DirectoryInfo(GuestCache.DefaultRoot);
        long size = directory.Exists
            ? directory.EnumerateFiles("*", new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true, AttributesToSkip = 0 }).Sum(f => f.Length)
            : 0;
        Output.Line($"{directory.FullName}  {size / 1_000_000} MB");
        return 0;
    }

    private static async Task<int> VerifyAsync(CancellationToken cancellation)
    {
        int status = 0;
        foreach (Guest guest in new GuestCache(GuestCache.DefaultRoot).List())
        {
            IReadOnlyList<string> bad = await GuestCache.VerifyAsync(guest, cancellation).ConfigureAwait(false);
            Output.Line($"{guest.Arch} {guest.Suite} {guest.Manifest.Release}: {(bad.Count == 0 ? "intact" : "damaged: " + string.Join(", ", bad))}");
            if (bad.Count > 0)
            {
                // What is known to be damaged must not be booted: without it the next run fetches the guest again.
                GuestCache.Remove(guest);
                Output.Note("myna: removed; the next run fetches it again");
                status = 1;
            }
        }
        return status;
    }

    private static int Clear()
    {
        string root = GuestCache.DefaultRoot;
        // Only what Myna puts there: the variable may name a directory with other things in it.
        foreach (string part in (string[])["apt", "firmware", "guests"])
        {
            string directory = Path.Combine(root, part);
            if (Directory.Exists(directory))
                Directory.Delete(directory, recursive: true);
        }
        return 0;
    }
}
