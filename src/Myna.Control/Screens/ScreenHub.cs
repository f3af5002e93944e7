using Myna.Hardware.Screens;
using Myna.Machines;

namespace Myna.Control.Screens;

/// <summary>
/// Draws a machine's screen for those who watch it. Nothing is drawn while nobody waits for a change, and ever more
/// seldom while nothing changes.
/// </summary>
public sealed class ScreenHub : IDisposable
{
    private const int Fastest = 20, Slowest = 200;

    private readonly Machine _machine;
    private readonly List<Viewer> _viewers = [];
    private readonly Thread _thread;
    private readonly ScrollFinder _scroll = new();
    private bool[] _afterMove = [];
    private bool _stop, _hurry;

    public ScreenHub(Machine machine)
    {
        _machine = machine;
        Surface.Resize(640, 480);
        _thread = new Thread(Run) { IsBackground = true, Name = "screen" };
        _thread.Start();
    }

    /// <summary>Held by whoever looks at the surface; pulsed when viewers may have something to send.</summary>
    public object Gate { get; } = new();

    /// <summary>The picture.</summary>
    public Surface Surface { get; } = new();

    /// <summary>The pointer's picture; null for none.</summary>
    public CursorImage? Cursor { get; private set; }

    public Machine Machine => _machine;

    /// <summary>Looks at once, and says how large the picture is, and since which change of its size.</summary>
    public (int Width, int Height, int Generation) Look()
    {
        lock (Gate)
        {
            Draw();
            return (Surface.Width, Surface.Height, Surface.Generation);
        }
    }

    public Viewer Join()
    {
        var viewer = new Viewer();
        lock (Gate)
        {
            _viewers.Add(viewer);
            Draw();
        }
        return viewer;
    }

    public void Leave(Viewer viewer)
    {
        lock (Gate)
            _viewers.Remove(viewer);
    }

    /// <summary>A viewer waits for changes, or the user did something: look again soon.</summary>
    public void Hurry()
    {
        lock (Gate)
        {
            _hurry = true;
            System.Threading.Monitor.PulseAll(Gate);
        }
    }

    public void Dispose()
    {
        lock (Gate)
        {
            _stop = true;
            System.Threading.Monitor.PulseAll(Gate);
        }
        _thread.Join();
    }

    private void Run()
    {
        int pause = Fastest;
        lock (Gate)
        {
            while (!_stop)
            {
                if (!_viewers.Exists(v => v.Waiting))
                {
                    System.Threading.Monitor.Wait(Gate);
                    pause = Fastest;
                    continue;
                }
                bool changed = Draw();
                if (changed)
                    System.Threading.Monitor.PulseAll(Gate);
                _hurry = false;
                pause = changed ? Fastest : Math.Min(pause * 5 / 4 + 1, Slowest);
                long until = Environment.TickCount64 + pause;
                // Never faster than the fastest, whatever the viewers ask.
                while (!_stop && Environment.TickCount64 is var now && now < until)
                {
                    System.Threading.Monitor.Wait(Gate, (int)(until - now));
                    if (_hurry)
                    {
                        until = Math.Min(until, now + Fastest);
                        pause = Fastest;
                    }
                }
            }
        }
    }

    /// <returns>Whether something is to be told.</returns>
    private bool Draw()
    {
        IScreen? screen = _machine.Screen;
        if (screen is not null)
        {
            Surface.ClearDamage();
            screen.Draw(Surface);
        }
        bool cursor = !ReferenceEquals(screen?.Cursor, Cursor);
        Cursor = screen?.Cursor;
        RowMove? move = null;
        if (Surface.IsDamaged)
        {
            if (_afterMove.Length != Surface.Damage.Length)
                _afterMove = new bool[Surface.Damage.Length];
            move = _scroll.Look(Surface, _afterMove);
        }
        bool any = cursor;
        foreach (Viewer viewer in _viewers)
        {
            viewer.Note(Surface, move, _afterMove);
            any |= viewer.IsDamaged;
        }
        return any;
    }
}
